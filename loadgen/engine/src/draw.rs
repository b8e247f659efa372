//! Seeded draws: uniform numbers, exponential gaps, weighted choices, and object indices by
//! popularity.

use crate::body::mix;

/// A `SplitMix64` stream; small, fast, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Stream(u64);

impl Stream {
    /// The stream of `purpose` (0, 1, …) for thread `lane` of the run with `seed`.
    #[must_use]
    pub fn new(seed: u64, lane: u64, purpose: u64) -> Self {
        Self(mix(
            seed ^ mix(lane.wrapping_mul(2).wrapping_add(1) ^ mix(purpose))
        ))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number in `0..bound`; `bound` must not be 0. Its bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.bits()) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A number in (0, 1].
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// An exponential gap with mean 1.
    pub fn gap(&mut self) -> f64 {
        -self.unit().ln()
    }
}

/// Which of `count` objects is asked for.
#[derive(Clone, Debug)]
pub enum Popularity {
    Uniform {
        count: u64,
    },
    /// The popular ones lie anywhere among the others: ranks are scattered over the indices.
    Zipf(Zipf, Scatter),
}

impl Popularity {
    /// An index in `0..count`.
    pub fn index(&self, stream: &mut Stream) -> u64 {
        match self {
            Self::Uniform { count } => stream.below(*count),
            Self::Zipf(zipf, scatter) => scatter.of(zipf.index(stream)),
        }
    }
}

/// A fixed permutation of `0..count`, the same for every thread and every run: constant time and no
/// table.
#[derive(Clone, Debug)]
pub struct Scatter {
    count: u64,
    mask: u64,
    shift: u32,
}

impl Scatter {
    #[must_use]
    pub fn new(count: u64) -> Self {
        let bits = (64 - count.saturating_sub(1).leading_zeros()).max(1);
        Self {
            count,
            mask: u64::MAX >> (64 - bits),
            shift: (bits / 2).max(1),
        }
    }

    /// Where number `rank` lies. Steps through a permutation of the next power of two until it is
    /// within, less than two steps on average.
    #[must_use]
    pub fn of(&self, rank: u64) -> u64 {
        let mut at = rank;
        loop {
            for odd in [0x9e37_79b9_7f4a_7c15_u64, 0xbf58_476d_1ce4_e5b9] {
                at = at.wrapping_add(odd >> 1).wrapping_mul(odd) & self.mask;
                at ^= at >> self.shift;
            }
            if at < self.count {
                return at;
            }
        }
    }
}

/// Zipf by rejection-inversion (Hörmann and Derflinger, 1996): constant time and no table.
#[derive(Clone, Debug)]
pub struct Zipf {
    count: f64,
    exponent: f64,
    area_first: f64,
    area_last: f64,
    shortcut: f64,
}

impl Zipf {
    /// Ranks `1..=count`, the chance of rank r in proportion to `r ^ -exponent`; `exponent > 0`.
    #[must_use]
    pub fn new(count: u64, exponent: f64) -> Self {
        let mut zipf = Self {
            count: count as f64,
            exponent,
            area_first: 0.0,
            area_last: 0.0,
            shortcut: 0.0,
        };
        zipf.area_first = zipf.area(1.5) - 1.0;
        zipf.area_last = zipf.area(zipf.count + 0.5);
        zipf.shortcut = 2.0 - zipf.area_inverse(zipf.area(2.5) - zipf.height(2.0));
        zipf
    }

    fn height(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// The integral of the height, in a form that is exact where the exponent is near 1.
    fn area(&self, x: f64) -> f64 {
        let log = x.ln();
        let power = (1.0 - self.exponent) * log;
        if power.abs() < 1e-8 {
            log
        } else {
            power.exp_m1() / power * log
        }
    }

    fn area_inverse(&self, area: f64) -> f64 {
        let power = (area * (1.0 - self.exponent)).max(-1.0);
        if power.abs() < 1e-8 {
            area.exp()
        } else {
            (power.ln_1p() / power * area).exp()
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 1 <= rank <= count
    fn index(&self, stream: &mut Stream) -> u64 {
        loop {
            let area = self.area_last + stream.unit() * (self.area_first - self.area_last);
            let x = self.area_inverse(area);
            let rank = x.round().clamp(1.0, self.count);
            if rank - x <= self.shortcut || area >= self.area(rank + 0.5) - self.height(rank) {
                return rank as u64 - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_lane_and_purpose() {
        let draw = |seed, lane, purpose| Stream::new(seed, lane, purpose).bits();
        assert_eq!(draw(1, 0, 0), draw(1, 0, 0));
        assert_ne!(draw(1, 0, 0), draw(2, 0, 0));
        assert_ne!(draw(1, 0, 0), draw(1, 1, 0));
        assert_ne!(draw(1, 0, 0), draw(1, 0, 1));
    }

    #[test]
    fn gaps_have_mean_one() {
        let mut stream = Stream::new(3, 0, 0);
        let mean = (0..200_000).map(|_| stream.gap()).sum::<f64>() / 200_000.0;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
    }

    #[test]
    fn zipf_follows_its_law() {
        for exponent in [0.5, 1.0, 1.1, 2.0] {
            let zipf = Zipf::new(1000, exponent);
            let mut stream = Stream::new(5, 0, 0);
            let mut seen = vec![0_u32; 1000];
            for _ in 0..400_000 {
                seen[usize::try_from(zipf.index(&mut stream)).unwrap()] += 1;
            }
            let total: f64 = (1..=1000).map(|rank| f64::from(rank).powf(-exponent)).sum();
            for rank in [1_u32, 2, 3, 10] {
                let expected = 400_000.0 * f64::from(rank).powf(-exponent) / total;
                let found = f64::from(seen[rank as usize - 1]);
                let tolerance = 5.0 * expected.sqrt();
                assert!(
                    (found - expected).abs() < tolerance,
                    "{exponent} {rank}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn scattering_is_a_permutation_and_no_order_is_left() {
        for count in [1, 2, 3, 7, 64, 1000, 4097] {
            let scatter = Scatter::new(count);
            let mut seen: Vec<u64> = (0..count).map(|rank| scatter.of(rank)).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
        }
        let scatter = Scatter::new(10_000);
        let first = (0..1000).filter(|rank| scatter.of(*rank) < 1000).count();
        assert!(
            (70..130).contains(&first),
            "{first} of 1000 stayed among the first"
        );
        assert!((0..100).all(|rank| scatter.of(rank).abs_diff(scatter.of(rank + 1)) > 1));
    }

    #[test]
    fn a_single_object_is_always_the_first() {
        let mut stream = Stream::new(1, 0, 0);
        assert_eq!(Zipf::new(1, 1.1).index(&mut stream), 0);
        assert_eq!(Popularity::Uniform { count: 1 }.index(&mut stream), 0);
    }
}
