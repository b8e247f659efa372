//! Connections that are lost, and when each is opened again.

use crate::connection::Phase;
use crate::kind::Kind;
use crate::worker::{Worker, RETRY_NS};

impl Worker {
    /// Gives a connection up and opens it again: the oldest request fails as `first`, the others as
    /// `rest`.
    pub(crate) fn lose(&mut self, index: usize, first: Kind, rest: Kind) {
        let retry_ns = self.retry_ns(index);
        let connection = &mut self.connections[index];
        connection.close();
        connection.phase = Phase::Down { retry_ns };
        self.down += 1;
        self.totals.connections_lost += 1;
        let flights = std::mem::take(&mut connection.flights);
        self.unlist(index);
        self.in_flight -= flights.len() as u64;
        for (place, flight) in flights.iter().enumerate() {
            let kind = if place == 0 { first } else { rest };
            self.conclude(index, flight, Some(kind), None);
        }
        if retry_ns <= self.now_ns {
            self.connect(index);
        }
    }

    /// When a connection that is lost now is opened again: at once, unless the server gave it up
    /// before it was of any use. Such a server would be connected to as fast as it hangs up, which
    /// leaves neither ports nor processor to the schedule.
    fn retry_ns(&mut self, index: usize) -> u64 {
        let connection = &self.connections[index];
        let found = if connection.is_silent() {
            // It may speak no HTTP/2 at all: asked again as when it refuses connections.
            "no settings of HTTP/2"
        } else if connection.is_unused() {
            "a connection that ended before its first request"
        } else {
            return self.now_ns;
        };
        self.totals.failure.get_or_insert_with(|| found.to_owned());
        if connection.is_silent() {
            return self.now_ns + RETRY_NS;
        }
        self.now_ns.max(connection.opened_ns + RETRY_NS)
    }
}
