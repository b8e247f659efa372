//! The intended times of one thread: absolute, in order, never moved and never skipped.

use crate::draw::Stream;

/// How slots follow each other.
#[derive(Clone, Debug)]
enum Arrivals {
    /// Slot k is at `start + (k + phase) * interval`; a product, so that errors never add up.
    Uniform { phase: f64 },
    /// Exponential gaps; the sum is kept in intervals, exact to a nanosecond for 100 days.
    Poisson { stream: Stream, position: f64 },
    /// Everything is due at once: the closed loop of `preload`.
    Immediate,
}

/// A thread's slots.
#[derive(Clone, Debug)]
pub struct Schedule {
    start_ns: u64,
    end_ns: u64,
    interval_ns: f64,
    arrivals: Arrivals,
    number: u64,
    next_ns: Option<u64>,
}

impl Schedule {
    /// Slot k at `start + (k + phase) / rate`, for as long as it lies before `end_ns`.
    #[must_use]
    pub fn uniform(start_ns: u64, end_ns: u64, rate_rps: f64, phase: f64) -> Self {
        Self::with(
            start_ns,
            end_ns,
            1e9 / rate_rps,
            Arrivals::Uniform { phase },
        )
    }

    /// A Poisson process of the same rate, seeded.
    #[must_use]
    pub fn poisson(start_ns: u64, end_ns: u64, rate_rps: f64, mut stream: Stream) -> Self {
        let position = stream.gap();
        Self::with(
            start_ns,
            end_ns,
            1e9 / rate_rps,
            Arrivals::Poisson { stream, position },
        )
    }

    /// `count` slots that are all due at `start_ns`.
    #[must_use]
    pub fn immediate(start_ns: u64, count: u64) -> Self {
        let mut schedule = Self::with(start_ns, count, 0.0, Arrivals::Immediate);
        schedule.next_ns = (count > 0).then_some(start_ns);
        schedule
    }

    fn with(start_ns: u64, end_ns: u64, interval_ns: f64, arrivals: Arrivals) -> Self {
        let mut schedule = Self {
            start_ns,
            end_ns,
            interval_ns,
            arrivals,
            number: 0,
            next_ns: None,
        };
        schedule.next_ns = schedule.time();
        schedule
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // never negative
    fn time(&self) -> Option<u64> {
        let position = match &self.arrivals {
            Arrivals::Uniform { phase } => self.number as f64 + phase,
            Arrivals::Poisson { position, .. } => *position,
            Arrivals::Immediate => return (self.number < self.end_ns).then_some(self.start_ns),
        };
        let time_ns = self.start_ns + (position * self.interval_ns) as u64;
        (time_ns < self.end_ns).then_some(time_ns)
    }

    /// The number of the next slot, from 0.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The intended time of the next slot; `None` when the schedule has ended.
    #[must_use]
    pub fn next_ns(&self) -> Option<u64> {
        self.next_ns
    }

    /// Takes the next slot.
    pub fn advance(&mut self) {
        self.number += 1;
        if let Arrivals::Poisson { stream, position } = &mut self.arrivals {
            *position += stream.gap();
        }
        self.next_ns = self.time();
    }

    /// No slot at or after `end_ns` is taken any more (an interrupt).
    pub fn cut(&mut self, end_ns: u64) {
        match self.arrivals {
            Arrivals::Immediate => self.end_ns = self.number,
            _ => self.end_ns = self.end_ns.min(end_ns),
        }
        self.next_ns = self.time();
    }

    /// Takes every slot before `time_ns` at once and says how many they were. For uniform arrivals
    /// it jumps; so whoever counts what was offered does it on a copy, off the sending thread.
    pub fn advance_to(&mut self, time_ns: u64) -> u64 {
        let before = self.number;
        if let Arrivals::Uniform { phase } = self.arrivals {
            let bound_ns = time_ns.min(self.end_ns);
            let guess = Self::guess(bound_ns, self.start_ns, self.interval_ns, phase);
            self.number = self.number.max(guess);
            self.next_ns = self.time();
        }
        while self.next_ns.is_some_and(|next_ns| next_ns < time_ns) {
            self.advance();
        }
        self.number - before
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates at 0, as meant
    fn guess(time_ns: u64, start_ns: u64, interval_ns: f64, phase: f64) -> u64 {
        let elapsed_ns = time_ns.saturating_sub(start_ns) as f64;
        (elapsed_ns / interval_ns - phase - 2.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn all(mut schedule: Schedule) -> Vec<u64> {
        let mut times = Vec::new();
        while let Some(time_ns) = schedule.next_ns() {
            times.push(time_ns);
            schedule.advance();
        }
        times
    }

    #[test]
    fn uniform_slots_are_products_and_never_drift() {
        let times = all(Schedule::uniform(
            1000,
            1000 + 30 * SECOND_NS,
            10_000.0,
            0.0,
        ));
        assert_eq!(times.len(), 300_000);
        assert!(times
            .iter()
            .enumerate()
            .all(|(k, t)| *t == 1000 + k as u64 * 100_000));
        let odd = all(Schedule::uniform(0, 1000 * SECOND_NS, 3.0, 0.0));
        assert_eq!(odd.len(), 3000);
        assert_eq!(odd[2999], 999_666_666_666);
    }

    #[test]
    fn shares_interleave_without_a_gap() {
        let mut together = Vec::new();
        for share in 0..4 {
            together.extend(all(Schedule::uniform(
                0,
                SECOND_NS,
                250.0,
                f64::from(share) / 4.0,
            )));
        }
        together.sort_unstable();
        assert_eq!(together, all(Schedule::uniform(0, SECOND_NS, 1000.0, 0.0)));
    }

    #[test]
    fn poisson_is_seeded_and_has_the_rate() {
        let draw = |seed| {
            all(Schedule::poisson(
                0,
                20 * SECOND_NS,
                10_000.0,
                Stream::new(seed, 0, 0),
            ))
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!((199_000..201_000).contains(&draw(1).len()));
        assert!(draw(1).windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn advancing_to_a_time_counts_every_slot_before_it() {
        let end_ns = 500 + 3 * SECOND_NS;
        let uniform = Schedule::uniform(500, end_ns, 7777.0, 0.3);
        let poisson = Schedule::poisson(500, end_ns, 7777.0, Stream::new(1, 0, 0));
        for mut schedule in [uniform, poisson] {
            let times = all(schedule.clone());
            let mut counted = 0;
            for step in 0..40_u64 {
                let time_ns = 500 + step * 97_000_001;
                counted += schedule.advance_to(time_ns);
                let due = times.iter().filter(|t| **t < time_ns).count() as u64;
                assert_eq!(counted, due, "{time_ns}");
                let next = times.get(usize::try_from(due).unwrap()).copied();
                assert_eq!(schedule.next_ns(), next);
            }
        }
    }

    #[test]
    fn a_cut_schedule_ends_and_an_immediate_one_counts() {
        let mut schedule = Schedule::uniform(0, SECOND_NS, 1000.0, 0.0);
        schedule.cut(10_000_000);
        assert_eq!(all(schedule).len(), 10);
        assert_eq!(all(Schedule::immediate(5, 3)), vec![5, 5, 5]);
        assert!(all(Schedule::immediate(5, 0)).is_empty());
    }
}
