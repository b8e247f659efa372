//! One connection: its socket, what is in flight on it, and what of a request is still to be
//! written.

use crate::fcgi;
use crate::h2;
use crate::load::Ask;
use crate::parser::Parser;
use crate::plan::Spoken;
use crate::request::Rest;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// How much of a large body is rendered at a time.
pub const PIECE_BYTES: usize = 256 << 10;

/// A request that was sent and is not answered.
#[derive(Clone, Copy, Debug)]
pub struct Flight {
    pub intended_ns: u64,
    pub sent_ns: u64,
    pub first_byte_ns: u64,
    /// The part of the send lag for which no connection was free.
    pub backlog_ns: u64,
    pub request_bytes: u64,
    pub ask: Ask,
    /// A compared body had a wrong byte.
    pub wrong: bool,
    /// Of HTTP/2: the stream, and how much of its answer has come.
    pub stream: h2::Stream,
}

impl Flight {
    /// A request that is about to be sent.
    #[must_use]
    pub fn new(intended_ns: u64, ask: Ask) -> Self {
        Self {
            intended_ns,
            sent_ns: 0,
            first_byte_ns: 0,
            backlog_ns: 0,
            request_bytes: 0,
            ask,
            wrong: false,
            stream: h2::Stream::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Connecting {
        since_ns: u64,
    },
    Open,
    /// The last attempt failed; another follows at `retry_ns`.
    Down {
        retry_ns: u64,
    },
}

/// How far a write came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    All,
    /// The socket is full: go on when it can be written.
    Part,
    Failed,
}

#[derive(Debug)]
pub struct Connection {
    pub socket: Option<OwnedFd>,
    pub phase: Phase,
    /// Tells events of this socket from those of the ones before it.
    pub generation: u32,
    pub parser: Parser,
    /// HTTP/2's state; none where something else is spoken.
    pub h2: Option<Box<h2::Client>>,
    /// FastCGI's, likewise.
    pub fcgi: Option<Box<fcgi::Client>>,
    /// In the order in which they were sent.
    pub flights: VecDeque<Flight>,
    pub opened_ns: u64,
    /// Since when another request could have been taken.
    pub free_since_ns: u64,
    /// Whether it is in the worker's list of free connections.
    pub listed: bool,
    /// Whether epoll watches for room to write.
    pub watches_room: bool,
    /// Whether a request was sent on it since it opened.
    used: bool,
    out: Vec<u8>,
    out_at: usize,
    rest: Option<Rest>,
}

impl Connection {
    #[must_use]
    pub fn new(depth: usize, spoken: Spoken) -> Self {
        Self {
            socket: None,
            phase: Phase::Down { retry_ns: 0 },
            generation: 0,
            parser: Parser::default(),
            h2: (spoken == Spoken::Http2).then(Box::default),
            fcgi: (spoken == Spoken::FastCgi).then(Box::default),
            flights: VecDeque::with_capacity(depth),
            opened_ns: 0,
            free_since_ns: 0,
            listed: false,
            watches_room: false,
            used: false,
            out: Vec::new(),
            out_at: 0,
            rest: None,
        }
    }

    /// Begins to connect; whatever was before is closed and forgotten.
    ///
    /// # Errors
    /// What the kernel says at once, for example that the connection is refused.
    pub fn open(&mut self, address: &SocketAddr) -> Result<(), Errno> {
        self.close();
        let family = if address.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
        match rustix::net::connect(&socket, address) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error),
        }
        self.socket = Some(socket);
        Ok(())
    }

    /// Closes the socket and forgets its state, except what is in flight.
    pub fn close(&mut self) {
        self.socket = None;
        self.generation = self.generation.wrapping_add(1);
        self.parser = Parser::default();
        self.h2 = self.h2.take().map(|_| Box::default());
        self.fcgi = self.fcgi.take().map(|_| Box::default());
        self.out.clear();
        (self.out_at, self.rest, self.watches_room) = (0, None, false);
        self.used = false;
    }

    /// Whether nothing of earlier requests is still to be written.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.out.is_empty() && self.rest.is_none()
    }

    /// Whether another request can be sent now.
    #[must_use]
    pub fn is_free(&self, depth: usize) -> bool {
        self.phase == Phase::Open && self.is_flushed() && self.has_room(depth)
    }

    /// Whether so few requests are in flight that another may follow.
    #[must_use]
    pub fn has_room(&self, depth: usize) -> bool {
        let open = self.flights.len();
        match &self.h2 {
            Some(client) => client.has_room(open, depth),
            None => open < depth,
        }
    }

    /// Whether it is open and the server has not yet said that it speaks HTTP/2.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.phase == Phase::Open && self.h2.as_ref().is_some_and(|client| !client.is_settled())
    }

    /// Whether it is open and no request was sent on it yet.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        self.phase == Phase::Open && !self.used
    }

    /// Writes rendered bytes, one system call in the common case. Nothing may be left of earlier
    /// requests.
    pub fn send(&mut self, bytes: &[u8], rest: Option<Rest>) -> Sent {
        self.rest = rest;
        self.used = true;
        match self.write(bytes) {
            Ok(size) if size == bytes.len() && !self.has_more() => Sent::All,
            Ok(size) => {
                self.out.extend_from_slice(&bytes[size..]);
                self.flush()
            }
            Err(Errno::AGAIN) => {
                self.out.extend_from_slice(bytes);
                Sent::Part
            }
            Err(_) => Sent::Failed,
        }
    }

    /// Writes what is left, until the socket is full.
    pub fn flush(&mut self) -> Sent {
        loop {
            while self.out_at < self.out.len() {
                match self.write(&self.out[self.out_at..]) {
                    Ok(size) => self.out_at += size,
                    Err(Errno::AGAIN) => return Sent::Part,
                    Err(_) => return Sent::Failed,
                }
            }
            self.out.clear();
            self.out_at = 0;
            if let Some(client) = &mut self.h2 {
                client.pump(PIECE_BYTES, &mut self.out);
            } else if let Some(rest) = self.rest.take() {
                self.rest = match &self.fcgi {
                    Some(client) => client.push_body(rest, PIECE_BYTES, &mut self.out),
                    None => rest.render(PIECE_BYTES, &mut self.out),
                };
            }
            if self.out.is_empty() {
                return Sent::All;
            }
        }
    }

    /// Whether something is to be sent that is not rendered yet.
    #[must_use]
    pub fn has_more(&self) -> bool {
        let h2 = self.h2.as_ref();
        self.rest.is_some() || h2.is_some_and(|client| client.has_output())
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let socket = self.socket.as_ref().ok_or(Errno::NOTCONN)?;
        rustix::io::retry_on_intr(|| rustix::net::send(socket, bytes, SendFlags::NOSIGNAL))
    }

    /// Reads once.
    ///
    /// # Errors
    /// As read(2), `AGAIN` included.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let socket = self.socket.as_ref().ok_or(Errno::NOTCONN)?;
        rustix::io::retry_on_intr(|| rustix::io::read(socket, &mut *buffer))
    }
}
