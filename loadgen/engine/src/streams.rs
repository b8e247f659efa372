//! The receiving half of a worker that speaks HTTP/2: streams that end in any order.

use crate::body;
use crate::h2::Event;
use crate::kind::Kind;
use crate::worker::Worker;

impl Worker {
    /// Takes every frame of what was read, then sends what they made possible.
    pub(crate) fn take_streams(&mut self, index: usize, mut bytes: &[u8]) {
        loop {
            let connection = &mut self.connections[index];
            let Some(client) = &mut connection.h2 else {
                return;
            };
            let flights = &mut connection.flights;
            let taken = client.next(&mut bytes, flights, self.now_ns, |flight, offset, body| {
                let ask = &flight.ask;
                if ask.compare && !flight.wrong {
                    flight.wrong = !body::matches(ask.index, ask.offset + offset, body);
                }
            });
            match taken {
                Err(_) => return self.lose(index, Kind::Parse, Kind::Reset),
                Ok(None) => break,
                Ok(Some(Event::GoAway { code: 0, last })) => self.refuse_after(index, last),
                Ok(Some(Event::GoAway { .. })) => {
                    return self.lose(index, Kind::Reset, Kind::Reset);
                }
                Ok(Some(Event::Answered(at))) => self.end_stream(index, at, None),
                Ok(Some(Event::Reset(at))) => self.end_stream(index, at, Some(Kind::Reset)),
                Ok(Some(Event::Broken(at))) => self.end_stream(index, at, Some(Kind::Parse)),
            }
        }
        self.after_streams(index);
    }

    /// Replies, bodies that may go on, and the end of a connection that takes no more requests.
    fn after_streams(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        let drained = connection.h2.as_ref().is_some_and(|one| one.is_draining());
        if drained && connection.flights.is_empty() {
            return self.lose(index, Kind::Closed, Kind::Closed);
        }
        if connection.is_flushed() && connection.has_more() {
            let sent = connection.flush();
            self.after_write(index, sent);
        }
        self.list_if_free(index);
    }

    fn end_stream(&mut self, index: usize, at: usize, kind: Option<Kind>) {
        let Some(flight) = self.connections[index].flights.remove(at) else {
            return;
        };
        self.in_flight -= 1;
        match kind {
            None => self.judge(index, &flight, &flight.stream.answer),
            Some(_) => self.conclude(index, &flight, kind, None),
        }
    }

    /// The server will not look at streams after `last`.
    fn refuse_after(&mut self, index: usize, last: u32) {
        self.unlist(index);
        while self.connections[index]
            .flights
            .back()
            .is_some_and(|flight| flight.stream.id > last)
        {
            let newest = self.connections[index].flights.len() - 1;
            self.end_stream(index, newest, Some(Kind::Reset));
        }
    }

    /// Resets the streams whose time is over; the connection goes on.
    pub(crate) fn give_up_streams(&mut self, index: usize) {
        while let Some(flight) = self.connections[index].flights.front() {
            if self.now_ns.saturating_sub(flight.sent_ns) < self.settings.timeout_ns {
                break;
            }
            let stream = flight.stream.id;
            if let Some(client) = &mut self.connections[index].h2 {
                client.cancel(stream);
            }
            self.end_stream(index, 0, Some(Kind::Timeout));
        }
        self.after_streams(index);
    }
}
