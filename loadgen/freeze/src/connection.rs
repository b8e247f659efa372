//! One client's connection: the bytes that are not yet a whole request, and the answer that is
//! being given.

use crate::script::Deed;
use rustix::net::sockopt::set_socket_linger;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A request whose answer is not given yet, or not whole.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    pub deed: Deed,
    pub number: u64,
    pub received_ns: u64,
    /// When the answer's first bytes went; 0: they have not.
    pub first_ns: u64,
}

pub struct Connection {
    pub stream: TcpStream,
    /// What came and is not yet a whole request.
    head: Vec<u8>,
    /// The next request is looked at when this one has ended.
    pub pending: Option<Pending>,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            head: Vec::with_capacity(HEAD_BYTES_MAX),
            pending: None,
        }
    }

    /// Reads what is there; false: the connection is over.
    pub fn read(&mut self) -> bool {
        let mut buffer = [0_u8; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.head.extend_from_slice(&buffer[..count]);
                self.head.len() < HEAD_BYTES_MAX
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    /// Takes the next whole request; false where there is none, or one is still to be answered.
    pub fn take_request(&mut self) -> bool {
        if self.pending.is_some() {
            return false;
        }
        let end = memchr::memmem::find(&self.head, b"\r\n\r\n");
        if let Some(end) = end {
            self.head.drain(..end + 4);
        }
        end.is_some()
    }

    /// Ends what the server sends: the client sees the end of the stream, and may still send.
    pub fn finish(&self) -> bool {
        self.stream.shutdown(Shutdown::Write).is_ok()
    }

    /// The close that follows is a reset.
    pub fn reset(&self) -> bool {
        set_socket_linger(&self.stream, Some(Duration::ZERO)).is_ok()
    }

    /// Writes; false: the connection is over.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }
}
