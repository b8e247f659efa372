//! The receiving half of a connection: frames in, events out.

use super::client::{
    find, Block, Client, Event, Flights, State, Taken, CONTROL_BYTES_MAX, WINDOW_BYTES,
};
use super::frames::{self as f, Head};
use super::hpack::Name;
use crate::connection::Flight;
use crate::parser::{Malformed, HEAD_BYTES_MAX};
use crate::scenario::{Verb, BODY_BYTES_MAX};

const CONTINUATIONS_MAX: u32 = 64;
const INTERIM_MAX: u8 = 16;

impl Client {
    /// Takes bytes up to the next event; none when all of them are taken.
    /// `body` gets each slice of a body: its flight, its offset, the bytes.
    ///
    /// # Errors
    /// When the connection is of no more use.
    pub fn next(
        &mut self,
        bytes: &mut &[u8],
        flights: &mut Flights,
        now_ns: u64,
        mut body: impl FnMut(&mut Flight, u64, &[u8]),
    ) -> Taken {
        loop {
            let event = match self.state {
                State::Head => {
                    let Some(head) = self.take_head(bytes) else {
                        return Ok(None);
                    };
                    self.begin_frame(head, flights, now_ns)?
                }
                State::Payload(head) => {
                    let Some(event) = self.take_payload(head, bytes, flights) else {
                        return Ok(None);
                    };
                    event?
                }
                State::Data { .. } => {
                    let Some(event) = self.take_data(bytes, flights, &mut body) else {
                        return Ok(None);
                    };
                    event?
                }
            };
            if self.control.len() > CONTROL_BYTES_MAX {
                return Err(Malformed("more settings and pings than it reads answers"));
            }
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    fn take_head(&mut self, bytes: &mut &[u8]) -> Option<Head> {
        let need = f::HEAD_BYTES - self.held.len();
        if bytes.len() < need {
            self.held.extend_from_slice(bytes);
            *bytes = &[];
            return None;
        }
        let mut head = [0; f::HEAD_BYTES];
        let (now, later) = bytes.split_at(need);
        let (before, rest) = head.split_at_mut(self.held.len());
        before.copy_from_slice(&self.held);
        rest.copy_from_slice(now);
        self.held.clear();
        *bytes = later;
        Some(Head::parse(head))
    }

    fn begin_frame(&mut self, head: Head, flights: &mut Flights, now_ns: u64) -> Taken {
        if head.length > f::PAYLOAD_BYTES_MAX {
            return Err(Malformed("a frame over the limit"));
        }
        if !self.settled && (head.kind != f::SETTINGS || head.has(f::ACK)) {
            return Err(Malformed("does not begin with settings"));
        }
        if self.block.is_some() != (head.kind == f::CONTINUATION) {
            return Err(Malformed("a head is not where it belongs"));
        }
        if let Some(flight) = find(flights, head.stream).map(|at| &mut flights[at]) {
            if flight.first_byte_ns == 0 && matches!(head.kind, f::HEADERS | f::DATA) {
                flight.first_byte_ns = now_ns;
            }
            flight.stream.answer.wire_bytes += (f::HEAD_BYTES + head.length) as u64;
        }
        if head.kind != f::DATA {
            self.state = State::Payload(head);
            return Ok(None);
        }
        self.state = State::Data {
            head,
            left: head.length,
            padding: (!head.has(f::PADDED)).then_some(0),
        };
        self.count_received(head, flights)
    }

    /// Flow control of what comes: windows are widened when half of them is used.
    fn count_received(&mut self, head: Head, flights: &mut Flights) -> Taken {
        if !self.was_opened(head.stream) {
            return Err(Malformed("data of a stream that nobody opened"));
        }
        let length = u32::try_from(head.length).unwrap_or(u32::MAX);
        self.received += length;
        if self.received >= WINDOW_BYTES / 2 {
            let more = std::mem::take(&mut self.received).to_be_bytes();
            f::push(f::WINDOW_UPDATE, 0, 0, &more, &mut self.control);
        }
        if let Some(at) = find(flights, head.stream) {
            let stream = &mut flights[at].stream;
            stream.received += length;
            if stream.received >= WINDOW_BYTES / 2 {
                let more = std::mem::take(&mut stream.received).to_be_bytes();
                f::push(f::WINDOW_UPDATE, 0, stream.id, &more, &mut self.control);
            }
        }
        Ok(None)
    }

    pub(super) fn was_opened(&self, stream: u32) -> bool {
        stream % 2 == 1 && stream < self.next_stream
    }

    fn take_data(
        &mut self,
        bytes: &mut &[u8],
        flights: &mut Flights,
        body: &mut impl FnMut(&mut Flight, u64, &[u8]),
    ) -> Option<Taken> {
        let State::Data {
            head,
            mut left,
            mut padding,
        } = self.state
        else {
            return None;
        };
        if padding.is_none() && left == 0 {
            return Some(Err(Malformed("padding longer than its frame")));
        }
        if let (None, Some((first, later))) = (padding, bytes.split_first()) {
            (padding, left, *bytes) = (Some(usize::from(*first)), left - 1, later);
            if usize::from(*first) > left {
                return Some(Err(Malformed("padding longer than its frame")));
            }
        }
        let mut broken = None;
        if let Some(padding) = padding {
            let (data, later) = bytes.split_at(bytes.len().min(left - padding.min(left)));
            let skip = later.len().min(left - data.len());
            *bytes = &later[skip..];
            left -= data.len() + skip;
            broken = self.take_body(head.stream, data, flights, body);
        }
        if left == 0 && padding.is_some() {
            self.state = State::Head;
            if broken.is_none() && head.has(f::END_STREAM) {
                return Some(Ok(
                    find(flights, head.stream).map(|at| self.end(at, flights))
                ));
            }
            return Some(Ok(broken));
        }
        self.state = State::Data {
            head,
            left,
            padding,
        };
        broken.map(|event| Ok(Some(event)))
    }

    fn take_body(
        &mut self,
        stream: u32,
        data: &[u8],
        flights: &mut Flights,
        body: &mut impl FnMut(&mut Flight, u64, &[u8]),
    ) -> Option<Event> {
        let at = find(flights, stream).filter(|_| !data.is_empty())?;
        let flight = &mut flights[at];
        let answer = &mut flight.stream.answer;
        let offset = answer.body_bytes;
        answer.body_bytes += data.len() as u64;
        if !flight.stream.headed || answer.body_bytes > BODY_BYTES_MAX {
            return Some(self.give_up(at, flights));
        }
        body(flight, offset, data);
        None
    }

    fn give_up(&mut self, at: usize, flights: &Flights) -> Event {
        self.cancel(flights[at].stream.id);
        Event::Broken(at)
    }

    /// The end of an answer.
    fn end(&mut self, at: usize, flights: &Flights) -> Event {
        let flight = &flights[at];
        let answer = &flight.stream.answer;
        let silent = flight.ask.verb == Verb::Head || matches!(answer.status, 204 | 304);
        let whole = answer
            .length
            .is_none_or(|length| length == answer.body_bytes);
        let good = if silent {
            answer.body_bytes == 0
        } else {
            whole
        };
        if !flight.stream.headed || !good {
            return self.give_up(at, flights);
        }
        let id = flight.stream.id;
        if self.bodies.iter().any(|body| body.stream == id) {
            self.cancel(id); // answered before its body was sent: nobody reads the rest
        }
        Event::Answered(at)
    }

    fn take_payload(
        &mut self,
        head: Head,
        bytes: &mut &[u8],
        flights: &mut Flights,
    ) -> Option<Taken> {
        let need = head.length - self.held.len();
        if bytes.len() < need {
            self.held.extend_from_slice(bytes);
            *bytes = &[];
            return None;
        }
        let (now, later) = bytes.split_at(need);
        *bytes = later;
        self.state = State::Head;
        if self.held.is_empty() {
            return Some(self.take_frame(head, now, flights));
        }
        let mut payload = std::mem::take(&mut self.held);
        payload.extend_from_slice(now);
        let taken = self.take_frame(head, &payload, flights);
        payload.clear();
        self.held = payload;
        Some(taken)
    }

    fn take_frame(&mut self, head: Head, payload: &[u8], flights: &mut Flights) -> Taken {
        let of_connection = matches!(head.kind, f::SETTINGS | f::PING | f::GOAWAY);
        let of_stream = matches!(head.kind, f::HEADERS | f::RST_STREAM | f::CONTINUATION);
        let opened = self.was_opened(head.stream);
        if (of_connection && head.stream != 0) || (of_stream && !opened) {
            return Err(Malformed("a frame on a stream that is none"));
        }
        let length = payload.len();
        match head.kind {
            f::HEADERS => self.take_headers(head, payload, flights),
            f::CONTINUATION => self.take_continuation(head, payload, flights),
            f::SETTINGS => self.take_settings(head, payload).map(|()| None),
            f::PING if length == 8 => {
                if !head.has(f::ACK) {
                    f::push(f::PING, f::ACK, 0, payload, &mut self.control);
                }
                Ok(None)
            }
            f::GOAWAY if length >= 8 => {
                self.draining = true;
                Ok(Some(Event::GoAway {
                    last: f::u32_at(payload, 0) & f::STREAM_MAX,
                    code: f::u32_at(payload, 4),
                }))
            }
            f::RST_STREAM if length == 4 => {
                self.bodies.retain(|body| body.stream != head.stream);
                Ok(find(flights, head.stream).map(Event::Reset))
            }
            f::WINDOW_UPDATE if length == 4 => self
                .widen(head.stream, f::u32_at(payload, 0))
                .map(|()| None),
            f::PUSH_PROMISE => Err(Malformed("a promise, which was refused")),
            f::PING | f::GOAWAY | f::RST_STREAM | f::WINDOW_UPDATE => {
                Err(Malformed("a frame of the wrong length"))
            }
            _ => Ok(None), // PRIORITY, and what is not known
        }
    }

    fn take_headers(&mut self, head: Head, payload: &[u8], flights: &mut Flights) -> Taken {
        let early = Malformed("padding longer than its frame");
        let mut block = payload;
        if head.has(f::PADDED) {
            let (padding, rest) = block.split_first().ok_or(early)?;
            let end = rest.len().checked_sub(usize::from(*padding)).ok_or(early)?;
            block = &rest[..end];
        }
        if head.has(f::PRIORITISED) {
            block = block.get(5..).ok_or(early)?;
        }
        let ends = head.has(f::END_STREAM);
        if head.has(f::END_HEADERS) {
            return self.take_block(head.stream, ends, block, flights);
        }
        self.block_bytes.clear();
        self.block_bytes.extend_from_slice(block);
        self.block = Some(Block {
            stream: head.stream,
            ends,
            frames: 0,
        });
        Ok(None)
    }

    fn take_continuation(&mut self, head: Head, payload: &[u8], flights: &mut Flights) -> Taken {
        let Some(mut block) = self.block.filter(|block| block.stream == head.stream) else {
            return Err(Malformed("a head is not where it belongs"));
        };
        block.frames += 1;
        let bytes = self.block_bytes.len() + payload.len();
        if bytes > HEAD_BYTES_MAX || block.frames > CONTINUATIONS_MAX {
            return Err(Malformed("head over the limit"));
        }
        self.block_bytes.extend_from_slice(payload);
        self.block = Some(block);
        if !head.has(f::END_HEADERS) {
            return Ok(None);
        }
        self.block = None;
        let bytes = std::mem::take(&mut self.block_bytes);
        let taken = self.take_block(block.stream, block.ends, &bytes, flights);
        self.block_bytes = bytes;
        taken
    }

    /// A whole header block: an interim answer's, an answer's, or its trailers.
    fn take_block(&mut self, id: u32, ends: bool, block: &[u8], flights: &mut Flights) -> Taken {
        let (mut status, mut length, mut bad) = (None, None, false);
        self.decoder.decode(block, |field| {
            match field.name {
                Name::Status if status.is_none() => status = field.number,
                Name::Status | Name::Pseudo => bad = true,
                Name::ContentLength => {
                    bad |=
                        field.number.is_none() || length.is_some_and(|n| Some(n) != field.number);
                    length = field.number;
                }
                Name::Other => {}
            }
            Ok(())
        })?;
        let Some(at) = find(flights, id) else {
            return Ok(None); // of a stream that was given up; the table had to learn from it
        };
        let stream = &mut flights[at].stream;
        let number = status.and_then(|status| u16::try_from(status).ok());
        let good = match (stream.headed, number) {
            (true, None) => ends && status.is_none(),
            (false, Some(100 | 102..=199)) => {
                stream.interim += 1;
                !ends && stream.interim <= INTERIM_MAX
            }
            (false, Some(status @ 200..=999)) => {
                stream.headed = true;
                stream.answer.status = status;
                stream.answer.length = length;
                stream.answer.keep_alive = true;
                true
            }
            _ => false,
        };
        if bad || !good {
            return Ok(Some(self.give_up(at, flights)));
        }
        Ok(ends.then(|| self.end(at, flights)))
    }
}
