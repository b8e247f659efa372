//! What happens to which request: every n-th is slow, is dropped, and so on, by counting alone, so
//! that the log and the script say the same.

use std::time::Duration;

/// The parts of a script; an `…_one_in` of zero: never.
#[derive(Clone, Copy, Debug, Default)]
pub struct Script {
    pub slow_one_in: u64,
    pub slow: Duration,
    pub drop_one_in: u64,
    pub reset_one_in: u64,
    /// Half of the answer, then the end of what the server sends.
    pub cut_one_in: u64,
    /// The whole answer, then the end of what the server sends.
    pub finish_one_in: u64,
    /// From a request to the first bytes of its answer, and from those to the rest: of each.
    pub first_byte: Duration,
    pub last_byte: Duration,
    /// No more answers a second than this, one after the other; zero: as many as there are.
    pub serve_rps: u64,
}

/// What the server does with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// As every request without a script.
    Answer,
    /// The answer after `slow`.
    Slow,
    /// No answer, ever.
    Drop,
    Reset,
    Cut,
    Finish,
    /// Late by `first_byte`, then by `last_byte`.
    Late,
    /// When its turn has come.
    Paced,
}

impl Deed {
    /// The event's name in the log; none where nothing is to be said.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Answer => return None,
            Self::Slow => "slow",
            Self::Drop => "drop",
            Self::Reset => "reset",
            Self::Cut => "cut",
            Self::Finish => "finish",
            Self::Late => "late",
            Self::Paced => "paced",
        })
    }
}

impl Script {
    /// The deed for the `number`-th request, from 1; of several the first in this order.
    pub fn deed(&self, number: u64) -> Deed {
        let every = |one_in: u64| one_in > 0 && number % one_in == 0;
        if every(self.drop_one_in) {
            Deed::Drop
        } else if every(self.reset_one_in) {
            Deed::Reset
        } else if every(self.cut_one_in) {
            Deed::Cut
        } else if every(self.finish_one_in) {
            Deed::Finish
        } else if every(self.slow_one_in) {
            Deed::Slow
        } else if self.serve_rps > 0 {
            Deed::Paced
        } else if !(self.first_byte + self.last_byte).is_zero() {
            Deed::Late
        } else {
            Deed::Answer
        }
    }
}

/// The turns of a server that serves a known number of requests a second, one after the other.
#[derive(Debug)]
pub struct Pace {
    step_ns: u64,
    next_ns: u64,
}

impl Pace {
    /// `serve_rps` above zero.
    pub fn new(serve_rps: u64) -> Self {
        let step_ns = 1_000_000_000 / serve_rps.max(1);
        Self {
            step_ns,
            next_ns: 0,
        }
    }

    /// When a request that came at `now_ns` has been served: a step after it, or after the one
    /// before it where that is later.
    pub fn turn_ns(&mut self, now_ns: u64) -> u64 {
        self.next_ns = self.next_ns.max(now_ns) + self.step_ns;
        self.next_ns
    }
}

#[cfg(test)]
mod tests {
    use super::{Deed, Pace, Script};
    use std::time::Duration;

    #[test]
    fn deeds_are_counted_and_one_of_them_is_done() {
        let script = Script {
            slow_one_in: 100,
            drop_one_in: 1000,
            reset_one_in: 700,
            ..Script::default()
        };
        let deeds: Vec<_> = (1..=7000).map(|number| script.deed(number)).collect();
        let count = |deed| deeds.iter().filter(|one| **one == deed).count();
        assert_eq!(count(Deed::Drop), 7);
        assert_eq!(count(Deed::Reset), 9, "the tenth is a drop");
        assert_eq!(count(Deed::Slow), 70 - 7 - 9);
        assert_eq!(deeds[6999], Deed::Drop);
        assert_eq!(Script::default().deed(1000), Deed::Answer);
    }

    #[test]
    fn every_request_is_late_or_waits_for_its_turn() {
        let late = Script {
            first_byte: Duration::from_millis(5),
            ..Script::default()
        };
        assert_eq!(late.deed(1), Deed::Late);
        let paced = Script {
            serve_rps: 800,
            ..late
        };
        assert_eq!(paced.deed(1), Deed::Paced);
    }

    #[test]
    fn turns_are_a_step_apart_and_idle_time_is_not_saved_up() {
        let mut pace = Pace::new(1000);
        assert_eq!(pace.turn_ns(5_000_000), 6_000_000);
        assert_eq!(pace.turn_ns(5_000_001), 7_000_000);
        assert_eq!(pace.turn_ns(9_000_000), 10_000_000);
    }
}
