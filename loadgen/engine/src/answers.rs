//! The receiving half of a worker: connections that open, and answers that come.

use crate::body;
use crate::connection::{Flight, Phase};
use crate::fault::Fault;
use crate::fcgi::Ended;
use crate::kind::Kind;
use crate::parser::Answer;
use crate::plan::Spoken;
use crate::records::{Record, FLAG_BACKLOG, FLAG_WARMUP};
use crate::scenario::Verb;
use crate::system::clock_ns;
use crate::timers::is_timer;
use crate::worker::{Worker, RETRY_NS, SECOND_NS};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

/// Longer lists of failed objects are cut; `preload` has failed by then anyway.
const FAILED_MAX: usize = 1 << 20;

impl Worker {
    /// Opens every connection and waits for all.
    pub(crate) fn connect_all(&mut self) -> Result<(), Fault> {
        let deadline_ns = clock_ns() + self.settings.timeout_ns.min(10 * SECOND_NS);
        (0..self.connections.len()).for_each(|index| self.connect(index));
        let mut events = Vec::with_capacity(64);
        while self.free.len() < self.connections.len() {
            let refused = self.totals.failure.take();
            if refused.is_some() || clock_ns() >= deadline_ns {
                let found = refused.unwrap_or_else(|| {
                    format!(
                        "{} of {} within the timeout",
                        self.free.len(),
                        self.connections.len()
                    )
                });
                let expected = "every connection to open";
                return Err(Fault::environment(
                    format!("target {}", self.settings.address),
                    "cannot be connected to",
                    expected,
                    found,
                )
                .hint("start the server first, and see that its backlog holds every connection"));
            }
            events.clear();
            let wait = Timespec {
                tv_sec: 0,
                tv_nsec: 50_000_000,
            };
            let buffer = rustix::buffer::spare_capacity(&mut events);
            let waited = epoll::wait(&self.epoll, buffer, Some(&wait));
            if waited.is_ok() {
                for event in &events {
                    self.handle(event.data.u64(), event.flags);
                }
            }
        }
        Ok(())
    }

    fn token(&self, index: usize) -> EventData {
        let generation = u64::from(self.connections[index].generation);
        EventData::new_u64(generation << 32 | index as u64)
    }

    /// Begins to open a connection that is down.
    pub(crate) fn connect(&mut self, index: usize) {
        let address = self.settings.address;
        let opened = self.connections[index].open(&address);
        let token = self.token(index);
        let connection = &mut self.connections[index];
        let watched = opened.and_then(|()| {
            let socket = connection.socket.as_ref().ok_or(Errno::NOTCONN)?;
            epoll::add(&self.epoll, socket, token, EventFlags::OUT)
        });
        match watched {
            Ok(()) => {
                connection.phase = Phase::Connecting {
                    since_ns: self.now_ns,
                };
                self.down -= 1;
            }
            Err(error) => {
                connection.close();
                connection.phase = Phase::Down {
                    retry_ns: self.now_ns + RETRY_NS,
                };
                self.totals.failure.get_or_insert_with(|| error.to_string());
            }
        }
    }

    /// A connection that could not be opened; another attempt follows.
    pub(crate) fn put_down(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        connection.close();
        connection.phase = Phase::Down {
            retry_ns: self.now_ns + RETRY_NS,
        };
        self.down += 1;
    }

    /// One event of epoll.
    pub(crate) fn handle(&mut self, token: u64, flags: EventFlags) {
        if is_timer(token) {
            return; // the loop has seen to it
        }
        let index = usize::try_from(token & 0xffff_ffff).unwrap_or(0);
        let connection = &mut self.connections[index];
        if u64::from(connection.generation) != token >> 32 {
            return; // of a socket that is closed
        }
        match connection.phase {
            Phase::Connecting { .. } => self.connected(index),
            Phase::Open => {
                if flags.contains(EventFlags::OUT) && connection.watches_room {
                    let sent = connection.flush();
                    self.after_write(index, sent);
                    self.now_ns = clock_ns();
                    self.list_if_free(index);
                }
                let ends = EventFlags::IN | EventFlags::HUP | EventFlags::ERR | EventFlags::RDHUP;
                if flags.intersects(ends) && self.connections[index].phase == Phase::Open {
                    self.receive(index);
                }
            }
            Phase::Down { .. } => {}
        }
    }

    fn connected(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        let error = connection
            .socket
            .as_ref()
            .map(rustix::net::sockopt::socket_error);
        self.now_ns = clock_ns();
        if let Some(Ok(Ok(()))) = error {
            connection.phase = Phase::Open;
            connection.opened_ns = self.now_ns;
            connection.watches_room = true; // so that the watch is changed to reading
            self.totals.connections_opened += 1;
            if connection.has_more() {
                let sent = connection.flush();
                return self.after_write(index, sent);
            }
            self.watch_room(index, false);
            self.list_if_free(index);
        } else {
            let found = error.and_then(Result::ok).and_then(Result::err);
            let found = found.map_or("no connection".to_owned(), |errno| errno.to_string());
            self.totals.failure.get_or_insert(found);
            self.put_down(index);
        }
    }

    /// Whether epoll tells when the socket can be written.
    pub(crate) fn watch_room(&mut self, index: usize, watch: bool) {
        let token = self.token(index);
        let connection = &mut self.connections[index];
        if connection.watches_room == watch {
            return;
        }
        connection.watches_room = watch;
        let room = if watch {
            EventFlags::OUT
        } else {
            EventFlags::empty()
        };
        if let Some(socket) = &connection.socket {
            // It was added before; a failure would show as a timeout of the request.
            let _ = epoll::modify(&self.epoll, socket, token, EventFlags::IN | room);
        }
    }

    /// Reads once and takes every answer in it.
    pub(crate) fn receive(&mut self, index: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = self.connections[index].read(&mut buffer);
        self.now_ns = clock_ns();
        self.turn_second();
        match read {
            Ok(0) => self.end_of_stream(index),
            Ok(size) => {
                self.second.counts.bytes_in += size as u64;
                match self.settings.spoken {
                    Spoken::Http2 => self.take_streams(index, &buffer[..size]),
                    _ => self.take_answers(index, &buffer[..size]),
                }
            }
            Err(Errno::AGAIN) => {}
            Err(_) => self.lose(index, Kind::Reset, Kind::Reset),
        }
        self.buffer = buffer;
    }

    fn end_of_stream(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if let Some(answer) = connection.parser.end() {
            self.end_first(index, &Ended::Answered(answer));
        }
        self.lose(index, Kind::Closed, Kind::Closed);
    }

    fn take_answers(&mut self, index: usize, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let connection = &mut self.connections[index];
            let Some(flight) = connection.flights.front_mut() else {
                self.lose(index, Kind::Parse, Kind::Parse); // bytes that nobody asked for
                return;
            };
            if flight.first_byte_ns == 0 {
                flight.first_byte_ns = self.now_ns;
            }
            let (ask, wrong) = (flight.ask, &mut flight.wrong);
            let bodyless = ask.verb == Verb::Head;
            let compare = |offset: u64, body: &[u8]| {
                if ask.compare && !*wrong {
                    *wrong = !body::matches(ask.index, ask.offset + offset, body);
                }
            };
            let fed = if let Some(client) = &mut connection.fcgi {
                let fed = client.feed(bytes, bodyless, compare);
                *self.totals.stderr_bytes.get_or_insert(0) += client.take_stderr_bytes();
                fed
            } else {
                let fed = connection.parser.feed(bytes, bodyless, compare);
                fed.map(|(taken, answer)| (taken, answer.map(Ended::Answered)))
            };
            match fed {
                Err(_) => return self.lose(index, Kind::Parse, Kind::Reset),
                Ok((_, None)) => return,
                Ok((taken, Some(ended))) => {
                    bytes = &bytes[taken..];
                    self.end_first(index, &ended);
                    let connection = &self.connections[index];
                    let last = matches!(ended, Ended::Answered(answer) if !answer.keep_alive);
                    // An answer to a request that is not wholly written makes the stream unusable.
                    let answered_early = connection.flights.is_empty() && !connection.is_flushed();
                    if last || answered_early {
                        return self.lose(index, Kind::Closed, Kind::Closed);
                    }
                }
            }
        }
        self.list_if_free(index);
    }

    /// The oldest request of a connection has ended.
    fn end_first(&mut self, index: usize, ended: &Ended) {
        let Some(flight) = self.connections[index].flights.pop_front() else {
            return;
        };
        self.in_flight -= 1;
        match ended {
            Ended::Answered(answer) => self.judge(index, &flight, answer),
            Ended::GivenUp => self.conclude(index, &flight, Some(Kind::Reset), None),
        }
    }

    /// Whether a whole answer is the expected one.
    pub(crate) fn judge(&mut self, index: usize, flight: &Flight, answer: &Answer) {
        let ask = &flight.ask;
        let expected_status = match ask.status {
            0 => (200..300).contains(&answer.status),
            status => status == answer.status,
        };
        let length = if ask.verb == Verb::Head {
            answer.length
        } else {
            Some(answer.body_bytes)
        };
        let good_length = !ask.sized || length == Some(ask.length);
        if ask.compare && expected_status {
            self.totals.digests_checked += 1;
            self.totals.digests_wrong += u64::from(flight.wrong || !good_length);
        }
        let kind = match (expected_status, good_length, flight.wrong) {
            (false, _, _) => Some(Kind::Status),
            (true, false, _) if carries_object(answer.status) => Some(Kind::Length),
            (true, true, true) if carries_object(answer.status) => Some(Kind::Digest),
            _ => None,
        };
        self.conclude(index, flight, kind, Some(answer));
    }

    /// Counts, times and records a request that has ended, at the last reading of the clock.
    pub(crate) fn conclude(
        &mut self,
        index: usize,
        flight: &Flight,
        kind: Option<Kind>,
        answer: Option<&Answer>,
    ) {
        let now_ns = self.now_ns;
        let response_ns = now_ns - flight.intended_ns;
        let sent = flight.sent_ns > 0;
        let service_ns = now_ns.saturating_sub(flight.sent_ns);
        let lag_ns = if sent {
            flight.sent_ns - flight.intended_ns
        } else {
            flight.backlog_ns
        };
        let own_ns = lag_ns.saturating_sub(flight.backlog_ns);
        let measured = flight.intended_ns >= self.span.measure_ns;
        let second = &mut *self.second;
        second.counts.end(kind);
        second.counts.overflow += u64::from(second.times.response.record(response_ns));
        let has_lag = !self.schedule.is_closed_loop();
        if has_lag {
            second.times.own_fault_lag.record(own_ns);
            second.times.backlog_lag.record(flight.backlog_ns);
        }
        if sent {
            second.times.service.record(service_ns);
        }
        if measured {
            let totals = &mut *self.totals;
            totals.counts.end(kind);
            totals.counts.bytes_in += answer.map_or(0, |answer| answer.wire_bytes);
            totals.good_by_end += u64::from(kind.is_none() && now_ns < self.span.end_ns);
            if has_lag {
                totals.times.own_fault_lag.record(own_ns);
                totals.times.backlog_lag.record(flight.backlog_ns);
            }
            if sent {
                totals.times.service.record(service_ns);
            }
            let operation = &mut totals.operations[usize::from(flight.ask.operation)];
            totals.counts.overflow += u64::from(operation.response.record(response_ns));
            *(if kind.is_none() {
                &mut operation.good
            } else {
                &mut operation.errors
            }) += 1;
        }
        if self.settings.list_failures && kind.is_some() && self.totals.failed.len() < FAILED_MAX {
            self.totals.failed.push(flight.ask.index);
        }
        self.record(
            index,
            flight,
            kind,
            answer.map_or(0, |answer| answer.status),
            measured,
        );
    }

    fn record(
        &mut self,
        index: usize,
        flight: &Flight,
        kind: Option<Kind>,
        status: u16,
        measured: bool,
    ) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        let connection = self.settings.first_connection + index;
        let backlog = if flight.backlog_ns > 0 {
            FLAG_BACKLOG
        } else {
            0
        };
        let warmup = if measured { 0 } else { FLAG_WARMUP };
        recorder.push(&Record {
            intended_ns: flight.intended_ns,
            sent_ns: flight.sent_ns,
            first_byte_ns: flight.first_byte_ns,
            last_byte_ns: self.now_ns,
            connection: u16::try_from(connection).unwrap_or(u16::MAX),
            status,
            operation: flight.ask.operation,
            outcome: kind.map_or(0, |kind| 1 + kind as u8),
            flags: backlog | warmup,
        });
    }
}

/// Whether an answer with this status has the object's bytes: an expected 404 or 304 has not.
fn carries_object(status: u16) -> bool {
    matches!(status, 200 | 206)
}
