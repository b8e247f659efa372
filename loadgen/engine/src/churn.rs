//! Objects that come and go: DELETE takes the oldest, and PUT brings a new one for each that went.

use crate::fault::Fault;
use crate::scenario::wrong;

/// Refuses a churn that leaves a thread of the run without a ring.
///
/// # Errors
/// When there are less than two objects for each of all processes' threads.
pub fn suffices(slots_all: u64, lanes: u64) -> Result<(), Fault> {
    if slots_all == 0 || slots_all >= 2 * lanes {
        return Ok(());
    }
    let least = 2 * lanes;
    let expected = format!("at least {least}, two for each thread of every worker");
    Err(wrong("objects.churn", "too few", &expected, slots_all))
}

/// One thread's part of the scenario's churn, a ring that nobody else touches: as many objects as
/// half its slots exist, and a slot is used again only when all others had their turn. So a DELETE
/// finds an object that was put long before, and no two threads need to know of each other.
#[derive(Clone, Debug)]
pub struct Churn {
    first: u64,
    step: u64,
    slots: u64,
    taken: u64,
    brought: u64,
}

impl Churn {
    /// The part of thread `lane` of `lanes` in all processes: of `slots_all` objects that begin at
    /// index `base`, every `lanes`-th.
    #[must_use]
    pub fn new(base: u64, slots_all: u64, lane: u64, lanes: u64) -> Self {
        Self {
            first: base + lane,
            step: lanes,
            slots: (slots_all / lanes).max(1),
            taken: 0,
            brought: 0,
        }
    }

    /// The object that is deleted next.
    pub fn take(&mut self) -> u64 {
        let slot = self.taken % self.slots;
        self.taken += 1;
        self.first + slot * self.step
    }

    /// The object that is put next, when fewer were put than deleted.
    pub fn bring(&mut self) -> Option<u64> {
        if self.brought == self.taken {
            return None;
        }
        let slot = (self.brought + self.slots / 2) % self.slots;
        self.brought += 1;
        Some(self.first + slot * self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_delete_finds_what_is_there_and_a_put_what_is_not() {
        let (base, slots, lanes) = (100, 42, 4);
        let mut stored: BTreeSet<u64> = (base..base + slots / 2).collect();
        let mut parts: Vec<_> = (0..lanes)
            .map(|lane| Churn::new(base, slots, lane, lanes))
            .collect();
        let before = stored.len();
        for _ in 0..1000 {
            for part in &mut parts {
                // Three run ahead, as many as a draw of the mix may.
                let taken: Vec<u64> = (0..3).map(|_| part.take()).collect();
                assert!(taken.iter().all(|index| stored.remove(index)), "{taken:?}");
                while let Some(index) = part.bring() {
                    assert!((base..base + slots).contains(&index));
                    stored.insert(index);
                }
            }
        }
        // What lies beyond the last lane's ring was preloaded once and is never taken.
        assert!(
            before.abs_diff(stored.len()) <= 4,
            "{before} {}",
            stored.len()
        );
    }

    #[test]
    fn every_thread_needs_a_ring() {
        assert!(suffices(0, 9).is_ok() && suffices(12, 6).is_ok());
        assert_eq!(suffices(12, 7).unwrap_err().place, "scenario.objects.churn");
    }

    #[test]
    fn lanes_never_meet() {
        let mut seen = BTreeSet::new();
        for lane in 0..3 {
            let mut part = Churn::new(0, 30, lane, 3);
            assert!((0..10).all(|_| seen.insert(part.take())));
        }
        assert_eq!(seen.len(), 30);
    }
}
