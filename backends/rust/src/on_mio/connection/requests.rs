//! A connection's input to requests and their bodies, and those to answers.

use super::{Connection, Life};
use crate::http::Phase;
use crate::on_mio::answer;
use crate::on_mio::call::{Call, Waiting};
use crate::on_mio::desk::{Desk, Ticket};
use crate::on_mio::scan::{Scan, scan};
use crate::s3::{self, Failure, Pending, Progress, Step};

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl Connection {
    /// Works through the input until it is used up, incomplete, waits for the log, or the output
    /// blocks. How much was used.
    pub(super) fn consume(&mut self, desk: &mut Desk, input: &[u8]) -> usize {
        let mut at = 0;
        while at < input.len() && !self.is_waiting() {
            if self.is_ending() && !(self.is_in_body() && self.wants_body()) {
                return input.len();
            }
            let rest = &input[at..];
            let used = if self.is_in_body() {
                self.take_body(desk, rest)
            } else {
                self.take_head(desk, rest)
            };
            at += used;
            let is_large = self.call.as_ref().is_some_and(|call| call.source.is_some());
            if (is_large || desk.is_output_full()) && !self.flush(desk) {
                return at;
            }
            self.release_if_done(desk);
            if used == 0 {
                return at;
            }
        }
        at
    }

    /// How many bytes were consumed; 0 asks for more.
    fn take_head(&mut self, desk: &mut Desk, input: &[u8]) -> usize {
        if input.starts_with(b"\r\n") {
            return 2; // RFC 9112 section 2.2: an empty line before a request is ignored
        }
        if input == b"\r" {
            return 0;
        }
        match scan(input) {
            Scan::Partial => 0,
            Scan::Complete(count) => {
                self.take_request(desk, &input[..count]);
                count
            }
            Scan::Bad => {
                self.refuse(desk, &s3::BAD_REQUEST);
                input.len()
            }
            Scan::TooLarge => {
                self.refuse(desk, &s3::HEAD_TOO_LARGE);
                input.len()
            }
        }
    }

    fn take_request(&mut self, desk: &mut Desk, head: &[u8]) {
        let mut call = desk.take_call();
        let read = call.read_head(head);
        let begun = read.map(|()| {
            let routed = call.asked.route();
            routed.and_then(|()| s3::begin(&call.exchange(&desk.rules)))
        });
        if let Ok(progress) = &begun {
            call.is_closing |= s3::is_instead_of_continue(&call.asked, progress);
        }
        self.call = Some(call);
        match begun {
            Ok(progress) => self.advance(desk, progress),
            Err(failed) => self.refuse(desk, failed),
        }
    }

    /// Takes a request as far as it goes.
    pub(super) fn advance(&mut self, desk: &mut Desk, mut progress: Progress) {
        loop {
            let Some(call) = self.call.as_mut() else { return };
            let outcome = match progress {
                Ok(Step::Body(upload)) if !call.is_in_body() => {
                    progress = upload.finish(&call.exchange(&desk.rules));
                    continue;
                }
                Ok(Step::Body(upload)) => {
                    call.upload = Some(upload);
                    if call.asked.expects_continue() {
                        desk.output.extend_from_slice(CONTINUE);
                    }
                    return;
                }
                Ok(Step::Change(pending)) => match change(desk, call, pending, self.ticket) {
                    Some(outcome) => outcome,
                    None => return,
                },
                Ok(Step::Answer(answer)) => Ok(answer),
                Err(failed) => Err(failed),
            };
            answer::write(desk, call, outcome);
            return;
        }
    }

    /// Stores bytes of a body or passes over them. How many were consumed.
    fn take_body(&mut self, desk: &mut Desk, input: &[u8]) -> usize {
        let mut at = 0;
        while let Some(call) = self.call.as_mut() {
            let is_content = matches!(call.framer.phase, Phase::Length | Phase::ChunkData);
            let step = call.framer.step(&input[at..]);
            if let Some(upload) = call.upload.as_mut().filter(|_| is_content) {
                upload.feed(&input[at..at + step]);
                if let Some(failed) = upload.is_hopeless() {
                    call.upload = None;
                    self.advance(desk, Err(failed));
                    return input.len();
                }
            }
            at += step;
            match call.framer.phase {
                Phase::Head => {
                    self.end_body(desk);
                    return at;
                }
                Phase::Broken => {
                    call.is_closing = true;
                    if call.upload.is_some() {
                        self.refuse(desk, &s3::BAD_REQUEST);
                    }
                    return input.len();
                }
                _ if step == 0 => return at,
                _ => {}
            }
        }
        at
    }

    fn end_body(&mut self, desk: &mut Desk) {
        let Some(call) = self.call.as_mut() else { return };
        if let Some(upload) = call.upload.take() {
            let progress = upload.finish(&call.exchange(&desk.rules));
            self.advance(desk, progress);
        }
    }

    /// Answers what is no request, or no longer one, and ends the connection.
    fn refuse(&mut self, desk: &mut Desk, failed: &'static Failure) {
        let mut call = self.call.take().unwrap_or_else(|| desk.take_call());
        call.reset();
        call.asked.begin(b"", b"/", b"");
        call.is_closing = true;
        answer::write(desk, &mut call, Err(failed));
        self.call = Some(call);
    }

    pub(super) fn release_if_done(&mut self, desk: &mut Desk) {
        let is_done = |call: &mut Box<Call>| {
            let is_at_work = call.upload.is_some() || call.waiting.is_some();
            !is_at_work && !call.is_in_body() && call.source.is_none()
        };
        if let Some(call) = self.call.take_if(is_done) {
            if call.is_closing {
                self.life = self.life.max(Life::Closing);
            }
            desk.give_call(call);
        }
    }
}

/// Makes a change; the outcome, unless the log has still to tell it.
fn change(
    desk: &mut Desk,
    call: &mut Call,
    pending: Pending,
    ticket: Ticket,
) -> Option<s3::Outcome> {
    let Pending { write, told } = pending;
    let exchange = call.exchange(&desk.rules);
    let Some(log) = &mut desk.log else { return Some(told.outcome(write.make(&exchange))) };
    let (outcomes_left, made) = write.push(&exchange, log, || ticket);
    if outcomes_left == 0 {
        return Some(told.outcome(made));
    }
    call.waiting = Some(Waiting { outcomes_left, made, told });
    None
}
