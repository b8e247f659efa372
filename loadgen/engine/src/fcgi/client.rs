//! One connection's FastCGI: a request out as records, and its answer in from records.

use super::cgi::Reply;
use super::params::{push_fields, push_fields_of_bucket};
use super::records::{self as r, Head};
use crate::load::Ask;
use crate::parser::{Answer, Malformed};
use crate::request::{Form, Rest};
use crate::scenario::Verb;
use crate::signing::Stamp;

/// Of what a responder writes beside one answer.
const STDERR_BYTES_MAX: u64 = 64 << 10;
/// `END_REQUEST`'s: the answer is whole, and the three reasons for which there is none.
const REQUEST_COMPLETE: u8 = 0;
const CANNOT_MULTIPLEX: u8 = 1;
const UNKNOWN_ROLE: u8 = 3;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Answered(Answer),
    /// The responder would not have the request, or its program failed.
    GivenUp,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    /// So many bytes of the record's content are to come, then so much padding.
    Content(Head, usize),
    Padding(Head, usize),
}

#[derive(Debug)]
pub struct Client {
    state: State,
    /// A record's head, or `END_REQUEST`'s content, that came in pieces.
    held: [u8; 8],
    held_bytes: usize,
    /// Of the request in flight; each has another than the one before.
    id: u16,
    reply: Reply,
    /// Of the answer so far, records and padding included.
    wire_bytes: u64,
    stdout_ended: bool,
    stderr_ended: bool,
    stderr_bytes: u64,
    /// Not yet told.
    stderr_news: u64,
    text: Vec<u8>,
    fields: Vec<u8>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            state: State::Head,
            held: [0; 8],
            held_bytes: 0,
            id: 0,
            reply: Reply::default(),
            wire_bytes: 0,
            stdout_ended: false,
            stderr_ended: false,
            stderr_bytes: 0,
            stderr_news: 0,
            text: Vec::new(),
            fields: Vec::new(),
        }
    }
}

/// The sending half.
impl Client {
    /// Appends a request, with at most about `limit` bytes of its body. Its parameters are rendered
    /// here unless they were before (`fields`). What is left of the body, and the bytes that the
    /// request costs in all.
    pub fn request(
        &mut self,
        form: &Form,
        ask: &Ask,
        fields: Option<&[u8]>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> (Option<Rest>, u64) {
        let at = out.len();
        if let Some(fields) = fields {
            self.begin(fields, out);
        } else {
            let mut own = std::mem::take(&mut self.fields);
            own.clear();
            push_fields(form, ask, None, &mut self.text, &mut own);
            self.begin(&own, out);
            self.fields = own;
        }
        let mut body = Rest::whole(ask);
        if ask.verb != Verb::Put {
            body.size = 0;
        }
        let rest = self.push_body(body, limit, out);
        let cost = (out.len() - at) as u64 + r::body_cost_bytes(rest);
        (rest, cost)
    }

    /// Appends a request of the bucket itself.
    pub fn of_bucket(&mut self, form: &Form, verb: Verb, stamp: Option<&Stamp>, out: &mut Vec<u8>) {
        let mut fields = Vec::new();
        push_fields_of_bucket(form, verb, stamp, &mut fields);
        self.begin(&fields, out);
        r::push_stream(r::STDIN, self.id, &[], out);
    }

    /// Appends more of a body; what is left of it.
    pub fn push_body(&self, rest: Rest, limit: usize, out: &mut Vec<u8>) -> Option<Rest> {
        r::push_body(self.id, rest, limit, out)
    }

    fn begin(&mut self, fields: &[u8], out: &mut Vec<u8>) {
        self.id = self.id.checked_add(1).unwrap_or(1);
        r::push_begin(self.id, out);
        r::push_stream(r::PARAMS, self.id, fields, out);
    }
}

/// The receiving half.
impl Client {
    /// Takes bytes up to the end of the request in flight; returns how many, and how it ended if it
    /// has. `bodyless` says that it was a HEAD. `body` gets each body slice with its offset.
    ///
    /// # Errors
    /// When the bytes are no records of this request, or a limit is exceeded. The client is then of
    /// no more use.
    pub fn feed(
        &mut self,
        input: &[u8],
        bodyless: bool,
        mut body: impl FnMut(u64, &[u8]),
    ) -> Result<(usize, Option<Ended>), Malformed> {
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            let taken = match self.state {
                State::Head => self.take_head(rest)?,
                State::Content(head, left) => {
                    self.take_content(head, left, rest, bodyless, &mut body)?
                }
                State::Padding(head, left) => {
                    let taken = left.min(rest.len());
                    self.state = State::Padding(head, left - taken);
                    taken
                }
            };
            at += taken;
            self.wire_bytes += taken as u64;
            if let Some(head) = self.ended_record() {
                self.state = State::Head;
                if head.kind == r::END_REQUEST {
                    return Ok((at, Some(self.finish(bodyless)?)));
                }
            }
        }
        Ok((at, None))
    }

    /// Bytes of `STDERR` since this was asked.
    pub fn take_stderr_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.stderr_news)
    }

    /// The record that has come whole, padding and all.
    fn ended_record(&mut self) -> Option<Head> {
        if let State::Content(head, 0) = self.state {
            self.state = State::Padding(head, head.padding.into());
        }
        match self.state {
            State::Padding(head, 0) => Some(head),
            _ => None,
        }
    }

    /// Holds bytes until there are eight; how many were taken, and whether there are.
    fn hold(&mut self, rest: &[u8]) -> (usize, bool) {
        let taken = (self.held.len() - self.held_bytes).min(rest.len());
        self.held[self.held_bytes..][..taken].copy_from_slice(&rest[..taken]);
        self.held_bytes = (self.held_bytes + taken) % self.held.len();
        (taken, self.held_bytes == 0)
    }

    fn take_head(&mut self, rest: &[u8]) -> Result<usize, Malformed> {
        let (taken, whole) = self.hold(rest);
        if whole {
            let head = Head::parse(self.held).ok_or(Malformed("not a record of FastCGI 1"))?;
            self.begin_record(head)?;
            self.state = State::Content(head, head.length.into());
        }
        Ok(taken)
    }

    fn begin_record(&mut self, head: Head) -> Result<(), Malformed> {
        if head.id != self.id {
            return Err(Malformed("a record of another request"));
        }
        let empty = head.length == 0;
        let ended = match head.kind {
            r::STDOUT => &mut self.stdout_ended,
            r::STDERR => &mut self.stderr_ended,
            r::END_REQUEST if usize::from(head.length) == r::END_BYTES => return Ok(()),
            r::END_REQUEST => return Err(Malformed("a record of the wrong length")),
            _ => return Err(Malformed("a record that no responder sends")),
        };
        if std::mem::replace(ended, empty) {
            return Err(Malformed("a stream that goes on behind its end"));
        }
        Ok(())
    }

    fn take_content(
        &mut self,
        head: Head,
        left: usize,
        rest: &[u8],
        bodyless: bool,
        body: &mut impl FnMut(u64, &[u8]),
    ) -> Result<usize, Malformed> {
        let taken = left.min(rest.len());
        self.state = State::Content(head, left - taken);
        match head.kind {
            r::STDOUT => self.reply.take(&rest[..taken], bodyless, body)?,
            r::STDERR => {
                self.stderr_bytes += taken as u64;
                self.stderr_news += taken as u64;
                if self.stderr_bytes > STDERR_BYTES_MAX {
                    return Err(Malformed("stderr over the limit"));
                }
            }
            _ => {
                self.hold(&rest[..taken]);
            }
        }
        Ok(taken)
    }

    /// The request has ended, as what is held says.
    fn finish(&mut self, bodyless: bool) -> Result<Ended, Malformed> {
        // An exit status beside the answer is the application's own business, as to web servers.
        let status = self.held[4];
        let wire_bytes = std::mem::take(&mut self.wire_bytes);
        (self.stdout_ended, self.stderr_ended, self.stderr_bytes) = (false, false, 0);
        match status {
            REQUEST_COMPLETE => {}
            CANNOT_MULTIPLEX..=UNKNOWN_ROLE => {
                self.reply = Reply::default();
                return Ok(Ended::GivenUp);
            }
            _ => return Err(Malformed("an unknown protocol status")),
        }
        let answer = self.reply.end(bodyless)?;
        Ok(Ended::Answered(Answer {
            wire_bytes,
            keep_alive: true,
            ..answer
        }))
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
