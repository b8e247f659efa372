//! Puts the seconds of a run's threads together: one is whole when every thread has passed it.

use crate::stats::Second;
use std::collections::BTreeMap;

pub struct Seconds {
    /// The index below which a lane has delivered everything.
    delivered: Vec<u64>,
    waiting: BTreeMap<u64, Second>,
}

impl Seconds {
    pub fn new(lanes: usize) -> Self {
        Self {
            delivered: vec![0; lanes],
            waiting: BTreeMap::new(),
        }
    }

    /// What a lane did in a second; each lane's come in order.
    pub fn add(&mut self, lane: usize, second: &Second) {
        self.delivered[lane] = second.index + 1;
        let index = second.index;
        let fresh = || Second {
            index,
            cut_ns: u64::MAX,
            ..Second::default()
        };
        self.waiting
            .entry(index)
            .or_insert_with(fresh)
            .merge(second);
    }

    /// A lane has nothing more to tell.
    pub fn end(&mut self, lane: usize) {
        self.delivered[lane] = u64::MAX;
    }

    /// The first second that every lane has passed.
    pub fn take_whole(&mut self) -> Option<Second> {
        let whole = self.delivered.iter().min().copied().unwrap_or(0);
        let first = self
            .waiting
            .first_entry()
            .filter(|entry| *entry.key() < whole)?;
        Some(first.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(index: u64, sent: u64) -> Second {
        let mut second = Second {
            index,
            cut_ns: u64::MAX,
            ..Second::default()
        };
        second.counts.sent = sent;
        second
    }

    #[test]
    fn a_second_is_whole_when_every_thread_has_passed_it() {
        let mut seconds = Seconds::new(2);
        seconds.add(0, &second(0, 1));
        seconds.add(0, &second(1, 2));
        assert!(seconds.take_whole().is_none());
        seconds.add(1, &second(0, 10));
        assert_eq!(seconds.take_whole().unwrap().counts.sent, 11);
        assert!(seconds.take_whole().is_none());
        seconds.end(1);
        assert_eq!(seconds.take_whole().unwrap().counts.sent, 2);
    }
}
