//! One connection's HTTP/2: bytes in, answers of streams out; requests and replies as bytes.

use super::frames::{self as f, Head};
use super::hpack::{self, Decoder};
use crate::connection::Flight;
use crate::key::push_number;
use crate::load::Ask;
use crate::parser::{Answer, Malformed, HEAD_BYTES_MAX};
use crate::request::{method, Form, Rest};
use crate::scenario::Verb;
use crate::signing::Stamp;
use std::collections::VecDeque;

/// What a server may send before we widen its window: as much as h2load asks for. Bodies are
/// compared as they come and never kept, so the window is no limit of memory.
pub(super) const WINDOW_BYTES: u32 = 1 << 30;
const WINDOW_BYTES_FIRST: i64 = 65_535;
pub(super) const WINDOW_BYTES_MAX: i64 = (1 << 31) - 1;
/// Answers to settings and pings that a server does not read.
pub(super) const CONTROL_BYTES_MAX: usize = 64 << 10;
/// `frames::PAYLOAD_BYTES_MAX` as windows are counted.
const PAYLOAD_BYTES: i64 = 16_384;

/// What of a request's answer has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    pub id: u32,
    pub answer: Answer,
    pub(super) headed: bool,
    pub(super) interim: u8,
    /// Flow-controlled bytes since its window was last widened.
    pub(super) received: u32,
}

/// Something that ends a request, or all of them. The number is its place among the flights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Answered(usize),
    /// The server gave the stream up.
    Reset(usize),
    /// Its answer is none; the stream was reset.
    Broken(usize),
    /// No stream after `last` is served; with an error, none at all.
    GoAway {
        last: u32,
        code: u32,
    },
}

/// A body that waits for room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    pub(super) stream: u32,
    pub(super) rest: Rest,
    pub(super) window: i64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Head,
    Payload(Head),
    /// A DATA frame: bytes to come, and how many of them are padding (none: not known yet).
    Data {
        head: Head,
        left: usize,
        padding: Option<usize>,
    },
}

/// A header block that goes on in the next frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) stream: u32,
    pub(super) ends: bool,
    pub(super) frames: u32,
}

pub(super) type Flights = VecDeque<Flight>;
pub(super) type Taken = Result<Option<Event>, Malformed>;

#[derive(Debug)]
pub struct Client {
    pub(super) decoder: Decoder,
    pub(super) state: State,
    /// A frame's head or payload that came in pieces; empty in the common case.
    pub(super) held: Vec<u8>,
    pub(super) block: Option<Block>,
    pub(super) block_bytes: Vec<u8>,
    pub(super) next_stream: u32,
    /// Whether the server's settings have come: before that it may speak anything.
    pub(super) settled: bool,
    pub(super) draining: bool,
    pub(super) streams_max: usize,
    /// What may be sent on the connection, and on a stream that begins.
    pub(super) window: i64,
    pub(super) stream_window: i64,
    pub(super) bodies: VecDeque<Body>,
    pub(super) control: Vec<u8>,
    pub(super) received: u32,
    text: Vec<u8>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            decoder: Decoder::default(),
            state: State::Head,
            held: Vec::new(),
            block: None,
            block_bytes: Vec::new(),
            next_stream: 1,
            settled: false,
            draining: false,
            streams_max: usize::MAX,
            window: WINDOW_BYTES_FIRST,
            stream_window: WINDOW_BYTES_FIRST,
            bodies: VecDeque::new(),
            control: begin(),
            received: 0,
            text: Vec::new(),
        }
    }
}

/// The preface, our settings, and the connection's window.
fn begin() -> Vec<u8> {
    let mut settings = Vec::new();
    f::push_setting(f::SETTING_PUSH, 0, &mut settings);
    f::push_setting(f::SETTING_WINDOW, WINDOW_BYTES, &mut settings);
    let head = u32::try_from(HEAD_BYTES_MAX).unwrap_or(0);
    f::push_setting(f::SETTING_HEAD, head, &mut settings);
    let mut out = f::PREFACE.to_vec();
    f::push(f::SETTINGS, 0, 0, &settings, &mut out);
    let more = WINDOW_BYTES - u32::try_from(WINDOW_BYTES_FIRST).unwrap_or(0);
    f::push(f::WINDOW_UPDATE, 0, 0, &more.to_be_bytes(), &mut out);
    out
}

pub(super) fn find(flights: &Flights, stream: u32) -> Option<usize> {
    flights
        .binary_search_by_key(&stream, |flight| flight.stream.id)
        .ok()
}

/// The sending half.
impl Client {
    /// Whether the server's settings have come.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// Whether the connection takes no more requests: the server said so, or its streams are used
    /// up.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining || self.next_stream >= f::STREAM_MAX
    }

    /// Whether another stream may begin beside `open` others, of `streams` at most.
    #[must_use]
    pub fn has_room(&self, open: usize, streams: usize) -> bool {
        self.settled && !self.is_draining() && open < streams.min(self.streams_max)
    }

    /// Appends a request, with its body if that is small and the windows allow it; a longer one
    /// follows through `pump`. Its fields are rendered here unless they were before (`fields`).
    /// Returns the stream and the bytes that it costs in all.
    pub fn request(
        &mut self,
        form: &Form,
        ask: &Ask,
        fields: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> (u32, u64) {
        let size = if ask.verb == Verb::Put { ask.length } else { 0 };
        let at = out.len();
        out.extend_from_slice(&[0; f::HEAD_BYTES]);
        match fields {
            Some(fields) => out.extend_from_slice(fields),
            None => push_fields(form, ask, None, &mut self.text, out),
        }
        let stream = self.close_head(at, size == 0, out);
        let frames = size.div_ceil(f::PAYLOAD_BYTES_MAX as u64) * f::HEAD_BYTES as u64;
        let cost = (out.len() - at) as u64 + size + frames;
        if size > 0 {
            self.send_body(stream, Rest::whole(ask), out);
        }
        (stream, cost)
    }

    /// Appends a request of the bucket itself; its stream.
    pub fn of_bucket(
        &mut self,
        form: &Form,
        verb: Verb,
        stamp: Option<&Stamp>,
        out: &mut Vec<u8>,
    ) -> u32 {
        let at = out.len();
        out.extend_from_slice(&[0; f::HEAD_BYTES]);
        push_first(verb, form.bucket(), form.host(), out);
        push_stamp(stamp, out);
        if verb == Verb::Put {
            hpack::push_literal(hpack::CONTENT_LENGTH, b"0", out);
        }
        self.close_head(at, true, out)
    }

    /// Writes the head of the HEADERS frame that begins at `at`, and takes a stream for it.
    fn close_head(&mut self, at: usize, ends: bool, out: &mut [u8]) -> u32 {
        let stream = self.next_stream;
        self.next_stream += 2;
        let mut bytes = Vec::with_capacity(f::HEAD_BYTES);
        let head = Head {
            length: out.len() - at - f::HEAD_BYTES,
            kind: f::HEADERS,
            flags: f::END_HEADERS | if ends { f::END_STREAM } else { 0 },
            stream,
        };
        head.push(&mut bytes);
        out[at..at + f::HEAD_BYTES].copy_from_slice(&bytes);
        stream
    }

    fn send_body(&mut self, stream: u32, rest: Rest, out: &mut Vec<u8>) {
        let mut body = Body {
            stream,
            rest,
            window: self.stream_window,
        };
        let room = self.window.min(body.window).min(PAYLOAD_BYTES);
        let fits = i64::try_from(rest.size).is_ok_and(|size| size <= room);
        if !(self.bodies.is_empty() && fits && self.push_data(&mut body, out)) {
            self.bodies.push_back(body);
        }
    }

    /// Appends one DATA frame as far as the windows allow; true when it was the last.
    fn push_data(&mut self, body: &mut Body, out: &mut Vec<u8>) -> bool {
        let room = self.window.min(body.window).min(PAYLOAD_BYTES);
        let left = body.rest.size - body.rest.offset;
        let length = usize::try_from(room).unwrap_or(0);
        let length = length.min(usize::try_from(left).unwrap_or(usize::MAX));
        let ends = length as u64 == left;
        let head = Head {
            length,
            kind: f::DATA,
            flags: if ends { f::END_STREAM } else { 0 },
            stream: body.stream,
        };
        head.push(out);
        let used = i64::try_from(length).unwrap_or(0);
        self.window -= used;
        body.window -= used;
        match body.rest.render(length, out) {
            Some(rest) => body.rest = rest,
            None => return true,
        }
        false
    }

    /// Appends replies, then bodies in turn, as far as windows and `limit` allow.
    pub fn pump(&mut self, limit: usize, out: &mut Vec<u8>) {
        out.append(&mut self.control);
        let mut blocked = 0;
        while out.len() < limit && blocked < self.bodies.len() && self.window > 0 {
            let Some(mut body) = self.bodies.pop_front() else {
                return;
            };
            if body.window <= 0 {
                blocked += 1;
                self.bodies.push_back(body);
                continue;
            }
            blocked = 0;
            if !self.push_data(&mut body, out) {
                self.bodies.push_back(body);
            }
        }
    }

    /// Gives a stream up.
    pub fn cancel(&mut self, stream: u32) {
        self.bodies.retain(|body| body.stream != stream);
        let code = f::CANCEL.to_be_bytes();
        f::push(f::RST_STREAM, 0, stream, &code, &mut self.control);
    }

    /// Whether there is something that `pump` would append.
    #[must_use]
    pub fn has_output(&self) -> bool {
        let open = |body: &Body| body.window > 0;
        !self.control.is_empty() || (self.window > 0 && self.bodies.iter().any(open))
    }
}

/// Appends the fields of a request: the same bytes on every connection. `text` is scratch.
pub fn push_fields(
    form: &Form,
    ask: &Ask,
    stamp: Option<&Stamp>,
    text: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    text.clear();
    form.target(ask, text);
    push_first(ask.verb, text, form.host(), out);
    push_stamp(stamp, out);
    text.clear();
    match ask.verb {
        Verb::Put => {
            push_number(ask.length, 0, text);
            hpack::push_literal(hpack::CONTENT_LENGTH, text, out);
        }
        Verb::Range => {
            form.range(ask, text);
            hpack::push_literal(hpack::RANGE, text, out);
        }
        _ => {}
    }
}

fn push_first(verb: Verb, target: &[u8], host: &[u8], out: &mut Vec<u8>) {
    match method(verb) {
        b"GET" => out.push(hpack::METHOD_GET),
        other => hpack::push_literal(hpack::METHOD, other, out),
    }
    out.push(hpack::SCHEME_HTTP);
    hpack::push_literal(hpack::AUTHORITY, host, out);
    hpack::push_literal(hpack::PATH, target, out);
}

fn push_stamp(stamp: Option<&Stamp>, out: &mut Vec<u8>) {
    if let Some(stamp) = stamp {
        hpack::push_named(b"x-amz-date", &stamp.date, out);
        hpack::push_named(b"x-amz-content-sha256", stamp.content.text(), out);
        hpack::push_literal(hpack::AUTHORIZATION, &stamp.authorization, out);
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
