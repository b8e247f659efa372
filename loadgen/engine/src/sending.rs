//! The sending half of a worker: slots that are due meet connections that are free.

use crate::connection::{Flight, Phase, Sent, PIECE_BYTES};
use crate::kind::Kind;
use crate::load::Ask;
use crate::system::clock_ns;
use crate::worker::Worker;

/// Pipelined requests leave in writes of about this size.
const BATCH_BYTES: usize = 64 << 10;
/// More than a signature, or a piece of a hash, takes: nothing that is due sooner waits for one.
const SIGNING_NS: u64 = 10_000;

impl Worker {
    /// Sends every slot that is due, as far as connections are free.
    pub(crate) fn dispatch(&mut self) {
        self.schedule.end_by(self.now_ns);
        let due_ns = self.due_ns();
        while self
            .schedule
            .next_ns()
            .is_some_and(|next_ns| next_ns <= due_ns)
        {
            if let Some(index) = self.free.front() {
                self.send_batch(*index as usize, due_ns);
                self.schedule.end_by(self.now_ns);
            } else if self.down == self.connections.len() && !self.schedule.is_closed_loop() {
                self.fail_slot();
            } else {
                return;
            }
        }
        if !self.free.is_empty() {
            self.starved_since_ns = None;
        }
    }

    fn send_batch(&mut self, index: usize, due_ns: u64) {
        self.scratch.clear();
        let mut rest = None;
        let mut count = 0;
        while let Some(intended_ns) = self.schedule.next_ns() {
            let full = !self.connections[index].has_room(self.settings.depth);
            let late = intended_ns > due_ns || self.scratch.len() > BATCH_BYTES;
            if full || late || rest.is_some() {
                break;
            }
            let (ask, head) = self.next_ask(intended_ns);
            let (mut flight, connection) =
                (Flight::new(intended_ns, ask), &mut self.connections[index]);
            let (form, out) = (&self.asks.form, &mut self.scratch);
            if let Some(client) = &mut connection.h2 {
                let (stream, bytes) = client.request(form, &ask, head.as_deref(), out);
                (flight.stream.id, flight.request_bytes) = (stream, bytes);
            } else if let Some(client) = &mut connection.fcgi {
                (rest, flight.request_bytes) =
                    client.request(form, &ask, head.as_deref(), PIECE_BYTES, out);
            } else {
                let before = out.len();
                match &head {
                    Some(head) => out.extend_from_slice(head),
                    None => form.head(&ask, None, out),
                }
                rest = form.body(&ask, PIECE_BYTES, out);
                let left = rest.map_or(0, |rest| rest.size - rest.offset);
                flight.request_bytes = (out.len() - before) as u64 + left;
            }
            connection.flights.push_back(flight);
            if let (Some(ahead), Some(head)) = (&mut self.asks.ahead, head) {
                ahead.give_back(head);
            }
            self.schedule.advance();
            count += 1;
        }
        let connection = &mut self.connections[index];
        let starved_since_ns = self.starved_since_ns.unwrap_or(u64::MAX);
        self.now_ns = clock_ns();
        for flight in connection.flights.iter_mut().rev().take(count) {
            flight.sent_ns = self.now_ns;
            if self.schedule.is_closed_loop() {
                flight.intended_ns = self.now_ns;
            } else if flight.intended_ns >= starved_since_ns {
                flight.backlog_ns = connection.free_since_ns.saturating_sub(flight.intended_ns);
            }
        }
        let sent = connection.send(&self.scratch, rest);
        self.count_sent(index, count);
        self.after_write(index, sent);
        self.relist(index);
    }

    /// What the next slot asks, and its signed head where requests are signed.
    fn next_ask(&mut self, intended_ns: u64) -> (Ask, Option<Vec<u8>>) {
        let Some(ahead) = &mut self.asks.ahead else {
            return (self.asks.load.ask(self.schedule.number()), None);
        };
        let ready = ahead.take(&mut self.asks.load, self.now_ns);
        let late = ready.late && intended_ns >= self.span.measure_ns;
        self.totals.signed_late += u64::from(late);
        (ready.ask, Some(ready.head))
    }

    /// Signs for slots to come while nothing is due before `wake_ns`; true when there is more to
    /// sign and answers are looked for first, for they must not wait longer than one signature.
    pub(crate) fn sign_ahead(&mut self, wake_ns: u64) -> bool {
        let Some(ahead) = &mut self.asks.ahead else {
            return false;
        };
        loop {
            let now_ns = clock_ns();
            if !ahead.wants(now_ns) || now_ns + SIGNING_NS > wake_ns {
                return false;
            }
            ahead.step(&mut self.asks.load, now_ns);
            if self.in_flight > 0 {
                return true;
            }
        }
    }

    fn count_sent(&mut self, index: usize, count: usize) {
        self.turn_second();
        self.in_flight += count as u64;
        for flight in self.connections[index].flights.iter().rev().take(count) {
            self.second.counts.sent += 1;
            self.second.counts.bytes_out += flight.request_bytes;
            if flight.intended_ns >= self.span.measure_ns {
                self.totals.counts.sent += 1;
                self.totals.counts.bytes_out += flight.request_bytes;
            }
        }
    }

    /// The connection at the front was used: to the back, or off the list when it can take no more.
    fn relist(&mut self, index: usize) {
        if self
            .free
            .front()
            .is_none_or(|front| *front as usize != index)
        {
            return; // it was lost in the write, and left the list there
        }
        self.free.pop_front();
        let connection = &mut self.connections[index];
        connection.listed = connection.is_free(self.settings.depth);
        if connection.listed {
            self.free
                .push_back(u32::try_from(index).unwrap_or(u32::MAX));
        } else if self.free.is_empty() && self.starved_since_ns.is_none() {
            self.starved_since_ns = Some(self.now_ns);
        }
    }

    /// A connection that can take a request again goes to the back of the list.
    pub(crate) fn list_if_free(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if !connection.listed && connection.is_free(self.settings.depth) {
            connection.listed = true;
            connection.free_since_ns = self.now_ns;
            self.free
                .push_back(u32::try_from(index).unwrap_or(u32::MAX));
        }
    }

    /// Takes a connection off the list of free ones.
    pub(crate) fn unlist(&mut self, index: usize) {
        if std::mem::take(&mut self.connections[index].listed) {
            self.free.retain(|free| *free as usize != index);
            if self.free.is_empty() && self.starved_since_ns.is_none() {
                self.starved_since_ns = Some(self.now_ns);
            }
        }
    }

    /// No connection is left and none can be opened: the slot fails at once.
    fn fail_slot(&mut self) {
        let Some(intended_ns) = self.schedule.next_ns() else {
            return;
        };
        let ask = match &mut self.asks.ahead {
            Some(ahead) => ahead.skip(&mut self.asks.load),
            None => self.asks.load.ask(self.schedule.number()),
        };
        self.schedule.advance();
        let flight = Flight {
            backlog_ns: self.now_ns - intended_ns,
            ..Flight::new(intended_ns, ask)
        };
        self.conclude(0, &flight, Some(Kind::Connect), None);
    }

    /// What follows a write: watch for room, or give the connection up.
    pub(crate) fn after_write(&mut self, index: usize, sent: Sent) {
        match sent {
            Sent::All => self.watch_room(index, false),
            Sent::Part => self.watch_room(index, true),
            Sent::Failed => {
                // An answer may have come before the reset; it counts first.
                self.receive(index);
                if self.connections[index].phase == Phase::Open {
                    self.lose(index, Kind::Reset, Kind::Reset);
                }
            }
        }
    }
}
