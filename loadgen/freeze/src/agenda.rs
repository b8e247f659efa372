//! What is to be done later, by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Connections with something to be done, the earliest first; equal times in the order of asking.
#[derive(Debug, Default)]
pub struct Agenda {
    entries: BinaryHeap<Reverse<(u64, u64, u64)>>,
    sequence: u64,
}

impl Agenda {
    /// The connection's turn is at `due_ns`.
    pub fn add(&mut self, due_ns: u64, connection: u64) {
        self.sequence += 1;
        self.entries
            .push(Reverse((due_ns, self.sequence, connection)));
    }

    /// When the first is due.
    pub fn next_ns(&self) -> Option<u64> {
        self.entries.peek().map(|Reverse((due_ns, ..))| *due_ns)
    }

    /// The first connection whose time has come.
    pub fn take(&mut self, now_ns: u64) -> Option<u64> {
        self.next_ns().filter(|due_ns| *due_ns <= now_ns)?;
        self.entries
            .pop()
            .map(|Reverse((_, _, connection))| connection)
    }
}

#[cfg(test)]
mod tests {
    use super::Agenda;

    #[test]
    fn what_is_due_comes_in_the_order_of_its_time() {
        let mut agenda = Agenda::default();
        for (due_ns, connection) in [(30, 1), (10, 2), (30, 3), (20, 4)] {
            agenda.add(due_ns, connection);
        }
        assert_eq!(agenda.next_ns(), Some(10));
        assert_eq!(agenda.take(9), None);
        let found: Vec<_> = std::iter::from_fn(|| agenda.take(30)).collect();
        assert_eq!(found, [2, 4, 1, 3]);
        assert_eq!(agenda.next_ns(), None);
    }
}
