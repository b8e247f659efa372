//! The intended times of one thread: absolute, in order, never moved and never skipped.

use crate::draw::Stream;
use crate::profile::Profile;
use std::sync::Arc;

/// How slots follow each other.
#[derive(Clone, Debug)]
enum Arrivals {
    /// Slot k is slot `k * step + first` of the run: threads and processes interleave.
    Uniform { first: u64, step: u64 },
    /// Exponential gaps; their sum in slots of the run, which the profile turns into time.
    Poisson {
        stream: Stream,
        position: f64,
        step: f64,
    },
    /// So many are all due at once: `preload`.
    Immediate { count: u64 },
    /// There is always one due, until the end: the closed loop of a saturation run.
    Always,
}

/// A thread's slots.
#[derive(Clone, Debug)]
pub struct Schedule {
    start_ns: u64,
    end_ns: u64,
    profile: Arc<Profile>,
    /// The profile's segment that holds the next slot.
    segment: usize,
    arrivals: Arrivals,
    number: u64,
    next_ns: Option<u64>,
}

impl Schedule {
    /// Every `step`-th slot of the run from slot `first` on.
    #[must_use]
    pub fn uniform(profile: Profile, first: u64, step: u64) -> Self {
        Self::with(0, u64::MAX, profile, Arrivals::Uniform { first, step })
    }

    /// A Poisson process of one `step`-th of the run's rate, seeded.
    #[must_use]
    pub fn poisson(profile: Profile, step: u64, mut stream: Stream) -> Self {
        let step = step as f64;
        let position = stream.gap() * step;
        let arrivals = Arrivals::Poisson {
            stream,
            position,
            step,
        };
        Self::with(0, u64::MAX, profile, arrivals)
    }

    /// `count` slots that are all due at `start_ns`.
    #[must_use]
    pub fn immediate(start_ns: u64, count: u64) -> Self {
        let nothing = Profile::new(0, &[]);
        Self::with(start_ns, u64::MAX, nothing, Arrivals::Immediate { count })
    }

    /// A slot is always due from `start_ns` to `end_ns`.
    #[must_use]
    pub fn always(start_ns: u64, end_ns: u64) -> Self {
        Self::with(start_ns, end_ns, Profile::new(0, &[]), Arrivals::Always)
    }

    fn with(start_ns: u64, end_ns: u64, profile: Profile, arrivals: Arrivals) -> Self {
        let mut schedule = Self {
            start_ns,
            end_ns,
            profile: Arc::new(profile),
            segment: 0,
            arrivals,
            number: 0,
            next_ns: None,
        };
        schedule.next_ns = schedule.time();
        schedule
    }

    fn time(&mut self) -> Option<u64> {
        let position = match &self.arrivals {
            Arrivals::Uniform { first, step } => (self.number * step + first) as f64,
            Arrivals::Poisson { position, .. } => *position,
            Arrivals::Immediate { count } => {
                return (self.number < *count).then_some(self.start_ns)
            }
            Arrivals::Always => return (self.start_ns < self.end_ns).then_some(self.start_ns),
        };
        let time_ns = self.profile.time_ns(position, &mut self.segment)?;
        (time_ns < self.end_ns).then_some(time_ns)
    }

    /// Whether slots have no times of their own: whoever sends one says when it was intended.
    #[must_use]
    pub fn is_closed_loop(&self) -> bool {
        matches!(self.arrivals, Arrivals::Always)
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

    /// The first slot after `time_ns`, by stepping there on a copy: for a time that is near. Slots
    /// without times of their own are all due at the first.
    #[must_use]
    pub fn after(&self, time_ns: u64) -> Option<u64> {
        if let Arrivals::Immediate { .. } | Arrivals::Always = self.arrivals {
            return self.next_ns.filter(|next_ns| *next_ns > time_ns);
        }
        let mut ahead = self.clone();
        while ahead.next_ns? <= time_ns {
            ahead.advance();
        }
        ahead.next_ns
    }

    /// Takes the next slot.
    pub fn advance(&mut self) {
        self.number += 1;
        if let Arrivals::Poisson {
            stream,
            position,
            step,
        } = &mut self.arrivals
        {
            *position += stream.gap() * *step;
        }
        self.next_ns = self.time();
    }

    /// A closed loop ends when its time is over; other schedules end by their own slots.
    pub fn end_by(&mut self, now_ns: u64) {
        if self.is_closed_loop() && now_ns >= self.end_ns {
            self.next_ns = None;
        }
    }

    /// No slot at or after `end_ns` is taken any more (an interrupt).
    pub fn cut(&mut self, end_ns: u64) {
        self.end_ns = self.end_ns.min(end_ns);
        if let Arrivals::Immediate { count } = &mut self.arrivals {
            *count = self.number;
        }
        self.next_ns = self.time();
    }

    /// Takes every slot before `time_ns` at once and says how many they were. For uniform arrivals
    /// it jumps; so whoever counts what was offered does it on a copy, off the sending thread. A
    /// closed loop offers what is sent, and nothing here.
    pub fn advance_to(&mut self, time_ns: u64) -> u64 {
        if self.is_closed_loop() {
            return 0;
        }
        let before = self.number;
        if let Arrivals::Uniform { first, step } = self.arrivals {
            let position = self.profile.position(time_ns.min(self.end_ns));
            self.number = self.number.max(Self::guess(position, first, step));
            self.next_ns = self.time();
        }
        while self.next_ns.is_some_and(|next_ns| next_ns < time_ns) {
            self.advance();
        }
        self.number - before
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates at 0, as meant
    fn guess(position: f64, first: u64, step: u64) -> u64 {
        ((position - first as f64) / step as f64 - 2.0) as u64
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
