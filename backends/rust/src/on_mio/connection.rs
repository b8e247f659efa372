//! The life of a connection: input in, answers out, and what it waits for between the two.

mod requests;

use std::io::{ErrorKind, Read};
use std::net::Shutdown;

use mio::net::TcpStream;
use mio::{Interest, Token};

use super::call::{Call, Waiting};
use super::desk::{Desk, INPUT_BYTES, Ticket};
use super::sending;
use crate::log::Outcome;
use crate::s3::Step;

/// What an event says of a socket.
#[derive(Clone, Copy, Debug, Default)]
pub struct Readiness {
    pub is_readable: bool,
    pub is_writable: bool,
    /// The peer ended its direction, or both.
    pub is_closed: bool,
}

/// Holds no buffer while it is idle.
pub struct Connection {
    socket: TcpStream,
    token: Token,
    ticket: Ticket,
    /// While a request is in progress.
    call: Option<Box<Call>>,
    /// Input that is not consumed yet.
    kept: Vec<u8>,
    /// Output that the socket did not take.
    pending: Vec<u8>,
    pending_at: usize,
    /// The socket may hold more input: events tell only of what is new.
    has_more: bool,
    is_blocked: bool,
    life: Life,
}

/// How far a connection is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Life {
    Open,
    /// No further request is taken.
    Closing,
    /// The last answer is out; the peer has still to take it.
    Lingering,
    /// The socket is broken.
    Failed,
    /// To be dropped.
    Over,
}

impl Connection {
    pub fn new(socket: TcpStream, token: Token, ticket: Ticket) -> Self {
        Self {
            socket,
            token,
            ticket,
            call: None,
            kept: Vec::new(),
            pending: Vec::new(),
            pending_at: 0,
            has_more: false,
            is_blocked: false,
            life: Life::Open,
        }
    }

    pub fn watch(&mut self, desk: &Desk) -> std::io::Result<()> {
        desk.registry.register(&mut self.socket, self.token, Interest::READABLE)
    }

    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    pub fn is_lingering(&self) -> bool {
        self.life == Life::Lingering
    }

    pub fn is_over(&self) -> bool {
        self.life == Life::Over
    }

    /// Nothing more is done for it.
    pub fn end(&mut self) {
        self.life = Life::Over;
    }

    fn is_failed(&self) -> bool {
        self.life == Life::Failed
    }

    fn fail(&mut self) {
        self.life = self.life.max(Life::Failed);
    }

    /// Between requests: nothing is owed in either direction.
    pub fn is_idle(&self) -> bool {
        self.call.is_none() && !self.is_blocked && self.kept.is_empty()
    }

    #[cfg(test)]
    pub fn held_bytes(&self) -> usize {
        self.kept.capacity() + self.pending.capacity()
    }

    fn is_waiting(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.is_waiting())
    }

    fn is_in_body(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.is_in_body())
    }

    fn wants_body(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.upload.is_some())
    }

    fn is_ending(&self) -> bool {
        self.life >= Life::Closing || self.call.as_ref().is_some_and(|call| call.is_closing)
    }

    pub fn on_event(&mut self, desk: &mut Desk, readiness: Readiness) {
        if self.is_blocked {
            if readiness.is_writable || readiness.is_closed {
                self.on_writable(desk);
            }
            return;
        }
        if readiness.is_readable || readiness.is_closed {
            self.has_more = true;
            self.on_readable(desk, readiness.is_closed);
        }
    }

    /// The next round has come for a socket that may hold more.
    pub fn on_turn(&mut self, desk: &mut Desk) {
        if self.has_more && !self.is_blocked {
            self.on_readable(desk, false);
        }
    }

    /// Reads once. While the log has a write of this connection, its input waits in the socket.
    fn on_readable(&mut self, desk: &mut Desk, is_closed: bool) {
        if self.is_waiting() {
            return;
        }
        let kept = self.kept.len();
        desk.input[..kept].copy_from_slice(&self.kept);
        let read = match self.socket.read(&mut desk.input[kept..kept + INPUT_BYTES]) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.has_more = false;
                return;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                desk.again.push(self.ticket.slot);
                return;
            }
            Err(_) => 0,
        };
        if read == 0 {
            self.end(); // a body that stops short is not stored
            return;
        }
        // Less than there was room for is all that there was, but for the end behind it.
        self.has_more = read == INPUT_BYTES || is_closed;
        if !self.is_lingering() {
            self.process(desk, kept + read);
        }
        self.ask_for_turn(desk);
    }

    fn ask_for_turn(&self, desk: &mut Desk) {
        if self.has_more && !self.is_over() && !self.is_blocked && !self.is_waiting() {
            desk.again.push(self.ticket.slot);
        }
    }

    fn on_writable(&mut self, desk: &mut Desk) {
        if self.flush(desk) {
            self.go_on(desk);
        } else if self.is_failed() {
            self.end();
        }
    }

    /// The log has done a write of this connection.
    pub fn on_outcome(&mut self, desk: &mut Desk, outcome: Outcome) {
        let waiting = self.call.as_mut().and_then(|call| call.waiting.as_mut());
        let Some(waiting) = waiting else { return };
        waiting.outcomes_left -= 1;
        let made = desk.rules.made(outcome); // also where one before it was refused
        waiting.made = waiting.made.and(made);
        if waiting.outcomes_left == 0 && !self.is_blocked {
            self.go_on(desk);
        }
    }

    /// What stopped the work is gone: answers the request that waited, then those behind it.
    fn go_on(&mut self, desk: &mut Desk) {
        if self.is_waiting() {
            return;
        }
        if let Some(Waiting { made, told, .. }) = self.call.as_mut().and_then(|c| c.waiting.take())
        {
            self.advance(desk, told.outcome(made).map(Step::Answer));
            let is_large = self.call.as_ref().is_some_and(|call| call.source.is_some());
            if is_large && !self.flush(desk) {
                if self.is_failed() {
                    self.end();
                }
                return;
            }
        }
        self.release_if_done(desk);
        desk.input[..self.kept.len()].copy_from_slice(&self.kept);
        self.process(desk, self.kept.len());
        self.ask_for_turn(desk);
    }

    /// The first `count` bytes of the desk's input are this connection's.
    fn process(&mut self, desk: &mut Desk, count: usize) {
        let input = std::mem::take(&mut desk.input);
        let used = self.consume(desk, &input[..count]);
        if !self.is_failed() && !desk.output.is_empty() {
            self.flush(desk);
        }
        if self.is_failed() {
            desk.output.clear();
            self.end();
        } else if used < count || !self.kept.is_empty() {
            self.kept = input[used..count].to_vec();
        }
        desk.input = input;
        if self.is_over() {
            return;
        }
        if self.is_blocked || self.is_waiting() {
            desk.timed.end(self.ticket.slot);
            return;
        }
        self.release_if_done(desk);
        self.settle(desk);
    }

    /// All that could be done is done: what is the connection to wait for?
    fn settle(&mut self, desk: &mut Desk) {
        // With the answer out, a body that still comes is nobody's: close rather than read it.
        if self.is_ending() && !self.wants_body() {
            self.linger(desk);
            return;
        }
        let owes = self.is_in_body() || !self.kept.is_empty();
        if owes {
            desk.timed.restart(self.ticket.slot, desk.now_s);
        } else {
            desk.timed.end(self.ticket.slot);
            if desk.is_stopping {
                self.end();
            }
        }
    }

    /// After the last answer: says that nothing more comes, then reads what the peer still sends,
    /// so that a reset does not destroy the answer on its way.
    fn linger(&mut self, desk: &mut Desk) {
        let said = self.socket.shutdown(Shutdown::Write);
        self.life = if said.is_ok() { Life::Lingering } else { Life::Over };
        self.kept = Vec::new();
        desk.timed.restart(self.ticket.slot, desk.now_s);
    }

    /// Sends what is due. False when the socket takes no more, or failed.
    fn flush(&mut self, desk: &mut Desk) -> bool {
        let mut no_source = None;
        let source = self.call.as_mut().map_or(&mut no_source, |call| &mut call.source);
        let is_fresh = self.pending.is_empty();
        let head = if is_fresh { &desk.output[..] } else { &self.pending[self.pending_at..] };
        let (gone, sent) = sending::send(&mut self.socket, head, source);
        let is_done = gone == head.len() && source.is_none();
        if !is_fresh {
            self.pending_at += gone;
        } else if !is_done {
            self.pending = head[gone..].to_vec();
        }
        if sent.is_err() {
            self.fail();
        }
        if self.pending_at == self.pending.len() {
            (self.pending, self.pending_at) = (Vec::new(), 0);
        }
        if is_fresh {
            desk.output.clear();
        }
        self.block(desk, !is_done);
        is_done && !self.is_failed()
    }

    fn block(&mut self, desk: &Desk, is_blocked: bool) {
        if self.is_failed() || self.is_blocked == is_blocked {
            return;
        }
        self.is_blocked = is_blocked;
        let interest = if is_blocked { Interest::WRITABLE } else { Interest::READABLE };
        let watched = desk.registry.reregister(&mut self.socket, self.token, interest);
        if watched.is_err() {
            self.fail();
        }
    }

    /// Gives back what it holds of the desk's.
    pub fn close(mut self, desk: &mut Desk) {
        desk.timed.end(self.ticket.slot);
        if let Some(call) = self.call.take() {
            desk.give_call(call);
        }
    }
}
