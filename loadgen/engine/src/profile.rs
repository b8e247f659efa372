//! The rate over time: stretches one after another, each level or a straight line, and the moment
//! at which each slot falls due in them.

/// A stretch of the schedule. Rates are those of the whole run, however many processes share it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    pub end_ns: u64,
    pub from_rps: f64,
    pub to_rps: f64,
}

/// A stretch with the slots that lie before its beginning and before its end.
#[derive(Clone, Debug)]
struct Segment {
    begin_ns: u64,
    end_ns: u64,
    first: f64,
    last: f64,
    rate_rps: f64,
    /// The rate's growth in slots a second, each second.
    slope: f64,
    interval_ns: f64,
}

impl Segment {
    /// When position `at` (in slots from the run's first one) is reached. In closed form, so that
    /// errors never add up: a double holds seven days to 0.1 ns.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `at` is in the segment
    fn time_ns(&self, at: f64) -> u64 {
        let slots = at - self.first;
        let after_ns = if self.slope == 0.0 {
            slots * self.interval_ns
        } else {
            // The root of rate * s + slope / 2 * s^2 = slots that loses no digits.
            let square = self.rate_rps * self.rate_rps + 2.0 * self.slope * slots;
            let below = self.rate_rps + square.max(0.0).sqrt();
            2e9 * slots / below
        };
        (self.begin_ns + after_ns as u64).min(self.end_ns - 1)
    }

    fn position(&self, time_ns: u64) -> f64 {
        let after_s = time_ns.saturating_sub(self.begin_ns) as f64 / 1e9;
        self.first + after_s * (self.rate_rps + self.slope / 2.0 * after_s)
    }
}

/// The whole schedule's rate.
#[derive(Clone, Debug)]
pub struct Profile {
    segments: Vec<Segment>,
}

impl Profile {
    /// Stretches one after another from `start_ns`; those without a length are left out.
    #[must_use]
    pub fn new(start_ns: u64, stretches: &[Stretch]) -> Self {
        let (mut begin_ns, mut first) = (start_ns, 0.0);
        let mut segments = Vec::with_capacity(stretches.len());
        for stretch in stretches.iter().filter(|stretch| stretch.end_ns > start_ns) {
            let length_ns = stretch.end_ns.saturating_sub(begin_ns) as f64;
            if length_ns == 0.0 {
                continue;
            }
            let mean_rps = f64::midpoint(stretch.from_rps, stretch.to_rps);
            let last = settled(first + mean_rps * length_ns / 1e9);
            segments.push(Segment {
                begin_ns,
                end_ns: stretch.end_ns,
                first,
                last,
                rate_rps: stretch.from_rps,
                slope: (stretch.to_rps - stretch.from_rps) / (length_ns / 1e9),
                interval_ns: 1e9 / stretch.from_rps,
            });
            (begin_ns, first) = (stretch.end_ns, last);
        }
        Self { segments }
    }

    /// One rate from `start_ns` to `end_ns`.
    #[must_use]
    pub fn level(start_ns: u64, end_ns: u64, rate_rps: f64) -> Self {
        let stretch = Stretch {
            end_ns,
            from_rps: rate_rps,
            to_rps: rate_rps,
        };
        Self::new(start_ns, &[stretch])
    }

    /// When position `at` is reached, seeking from segment `hint` on and leaving it at the one that
    /// holds it; `None` behind the last.
    pub fn time_ns(&self, at: f64, hint: &mut usize) -> Option<u64> {
        loop {
            let segment = self.segments.get(*hint)?;
            if at < segment.last {
                return Some(segment.time_ns(at));
            }
            *hint += 1;
        }
    }

    /// How many slots of the run lie before `time_ns`: the integral of the rate.
    #[must_use]
    pub fn position(&self, time_ns: u64) -> f64 {
        let holds = |segment: &&Segment| time_ns < segment.end_ns;
        match self.segments.iter().find(holds) {
            Some(segment) => segment.position(time_ns),
            None => self.segments.last().map_or(0.0, |segment| segment.last),
        }
    }
}

/// A number of slots that is whole but for rounding is whole.
fn settled(slots: f64) -> f64 {
    if (slots - slots.round()).abs() < 1e-6 {
        slots.round()
    } else {
        slots
    }
}

/// The whole run's rate from that of one of `count` processes: dividing and multiplying again may
/// cost the last bits, and every process must come to the same number.
#[must_use]
pub fn whole_rate(rate_rps: f64, count: u32) -> f64 {
    const DROPPED: u64 = 4;
    let bits = (rate_rps * f64::from(count)).to_bits();
    let rounded = (bits + (1 << (DROPPED - 1))) >> DROPPED << DROPPED;
    f64::from_bits(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn a_ramp_is_the_inverse_of_its_integral() {
        let stretches = [
            Stretch {
                end_ns: 10 * SECOND_NS,
                from_rps: 100.0,
                to_rps: 900.0,
            },
            Stretch {
                end_ns: 14 * SECOND_NS,
                from_rps: 900.0,
                to_rps: 1.0,
            },
        ];
        let profile = Profile::new(0, &stretches);
        let total = profile.position(u64::MAX);
        assert!((total - (5000.0 + 1802.0)).abs() < 1e-9, "{total}");
        let mut hint = 0;
        for slot in 0..6802_u32 {
            let time_ns = profile.time_ns(f64::from(slot), &mut hint).unwrap();
            let back = profile.position(time_ns);
            assert!((back - f64::from(slot)).abs() < 2e-6, "{slot} {back}");
        }
        assert_eq!(profile.time_ns(6802.0, &mut hint), None);
    }

    #[test]
    fn whole_rates_survive_being_divided() {
        for whole in [1.0, 10_000.0, 9_999.5, 1000.0 / 3.0, 12_345.678] {
            for count in [2_u32, 3, 7, 11, 64] {
                let share = whole / f64::from(count);
                let diff = whole_rate(share, count) - whole_rate(whole, 1);
                assert!(diff.abs() <= whole * 4e-15, "{whole} {count} {diff}");
            }
        }
        assert_eq!(
            whole_rate(10_000.0 / 3.0, 3).to_bits(),
            10_000.0_f64.to_bits()
        );
    }
}
