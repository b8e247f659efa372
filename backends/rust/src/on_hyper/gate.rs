//! The socket as hyper sees it: what the framer approved, and the 30 s limit of progress.
//!
//! It reads the framing of requests before hyper does, because hyper settles silently what the
//! contract refuses: a bare LF, a length beside a transfer coding, and a sender that stops halfway.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::ReadBufCursor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::http::{Framer, Phase};

/// Ends a connection that stopped in the middle of a head or a body.
pub const PROGRESS_TIMEOUT: Duration = Duration::from_secs(30);

/// How long, and for how many bytes, a closing connection waits for the client to read its answer.
const LINGER_TIMEOUT: Duration = Duration::from_millis(500);
const LINGER_BYTES_MAX: usize = 1 << 20;

/// Stands in for a request that must be refused: hyper takes it, the service learns from `Refusals`
/// that it is the one, and so the refusal is answered in its turn, in full.
const REFUSED_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n";

const BUFFER_BYTES_FIRST: usize = 8 << 10;
const BUFFER_BYTES_BODY: usize = 64 << 10;

/// Which request of a connection the gate refused; shared by the gate and the service.
#[derive(Debug, Default)]
pub struct Refusals {
    refused: Cell<Option<(u64, u16)>>,
    served: Cell<u64>,
}

impl Refusals {
    /// Counts the request that is being handled; the status to refuse it with, if it is the one.
    /// Call it exactly once a request.
    pub fn next(&self) -> Option<u16> {
        self.served.set(self.served.get() + 1);
        let (number, status) = self.refused.get()?;
        (number == self.served.get()).then_some(status)
    }
}

/// A connection's socket behind its framer.
#[derive(Debug)]
pub struct Gate {
    stream: TcpStream,
    framer: Framer,
    /// `buffer[start..passed]` is approved and waits for hyper, the rest for the framer.
    buffer: Vec<u8>,
    start: usize,
    passed: usize,
    end: usize,
    /// Made only while hyper waits in the middle of a message: a plain GET never has one.
    stall: Option<Pin<Box<Sleep>>>,
    /// Made when the connection closes, and what was read since.
    linger: Option<Pin<Box<Sleep>>>,
    drained: usize,
    refusals: Rc<Refusals>,
}

impl Gate {
    /// Begins with what was read of the socket before.
    pub fn new(stream: TcpStream, refusals: Rc<Refusals>, read: &[u8]) -> Self {
        let mut gate = Self {
            stream,
            framer: Framer::new(),
            buffer: vec![0; BUFFER_BYTES_FIRST],
            start: 0,
            passed: 0,
            end: 0,
            stall: None,
            linger: None,
            drained: 0,
            refusals,
        };
        gate.buffer[..read.len()].copy_from_slice(read);
        gate.end = read.len();
        gate.approve();
        gate
    }

    /// Reads what the client still sends after the last answer, so that a reset does not take the
    /// answer away from it. Bounded in time and bytes.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let limit = self.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER_TIMEOUT)));
        if limit.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        while self.drained < LINGER_BYTES_MAX {
            let mut room = ReadBuf::new(&mut self.buffer);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut room)) {
                Ok(()) if !room.filled().is_empty() => self.drained += room.filled().len(),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }

    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.make_room();
        let halfway = self.passed < self.end || self.framer.phase != Phase::Head;
        let mut room = ReadBuf::new(&mut self.buffer[self.end..]);
        match Pin::new(&mut self.stream).poll_read(context, &mut room) {
            Poll::Ready(done) => {
                let count = room.filled().len();
                done?;
                self.stall = None;
                self.end += count;
                self.approve();
                Poll::Ready(Ok(count))
            }
            Poll::Pending if halfway => {
                let stall = self
                    .stall
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(PROGRESS_TIMEOUT)));
                ready!(stall.as_mut().poll(context));
                self.framer.phase = Phase::Broken;
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Lets the framer judge what came, and puts the stand-in where it refused a request.
    fn approve(&mut self) {
        self.passed += self.framer.advance(&self.buffer[self.passed..self.end]);
        if let Phase::Refused(status) = self.framer.phase {
            self.refusals.refused.set(Some((self.framer.heads + 1, status)));
            self.buffer.truncate(self.passed);
            self.buffer.extend_from_slice(REFUSED_REQUEST);
            self.passed = self.buffer.len();
            self.end = self.passed;
        }
    }

    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.passed..self.end, 0);
            self.end -= self.passed;
            (self.start, self.passed) = (0, 0);
        }
        let wanted = match self.framer.phase {
            Phase::Length | Phase::ChunkData if self.framer.left > self.buffer.len() as u64 => {
                BUFFER_BYTES_BODY
            }
            _ if self.end == self.buffer.len() => 2 * self.end,
            _ => return,
        };
        if wanted > self.buffer.len() {
            self.buffer.resize(wanted, 0);
        }
    }
}

impl hyper::rt::Read for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let gate = &mut *self;
        loop {
            if gate.start < gate.passed {
                let count = into.remaining().min(gate.passed - gate.start);
                into.put_slice(&gate.buffer[gate.start..gate.start + count]);
                gate.start += count;
                return Poll::Ready(Ok(()));
            }
            match gate.framer.phase {
                Phase::Refused(_) => return Poll::Ready(Ok(())),
                Phase::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                _ => {}
            }
            if ready!(gate.poll_fill(context))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl hyper::rt::Write for Gate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        self.poll_linger(context).map(Ok)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}
