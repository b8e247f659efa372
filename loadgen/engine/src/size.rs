//! How large each object is: a function of its index and the scenario alone, so that every thread
//! of every machine agrees, and any answer's length can be checked.

use crate::body::mix;
use crate::fault::Fault;
use crate::scenario::{within, wrong, BODY_BYTES_MAX};
use serde::Deserialize;

const ROWS_MAX: usize = 1000;
const WEIGHT_MAX: u64 = 1_000_000;
const SIGMA_MAX: f64 = 5.0;
/// Tells an object's size from its bytes, which are drawn from its index as well.
const SALT: u64 = 0x7369_7a65_206f_6620;

/// `objects.size` of a scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "distribution", rename_all = "lowercase", deny_unknown_fields)]
pub enum Size {
    Fixed {
        bytes: u64,
    },
    Lognormal {
        median_bytes: u64,
        /// Of the sizes' natural logarithms.
        sigma: f64,
        min_bytes: u64,
        max_bytes: u64,
    },
    /// Sizes with their weights, as somebody counted them.
    Table {
        rows: Vec<(u64, u64)>,
    },
}

impl Size {
    /// Refuses what no object can have, by key.
    ///
    /// # Errors
    /// The first key that is wrong.
    pub fn validate(&self) -> Result<(), Fault> {
        let place = |key: &str| format!("objects.size.{key}");
        match self {
            Self::Fixed { bytes } => within(&place("bytes"), *bytes, 1, BODY_BYTES_MAX),
            Self::Lognormal {
                median_bytes,
                sigma,
                min_bytes,
                max_bytes,
            } => {
                within(&place("max_bytes"), *max_bytes, 1, BODY_BYTES_MAX)?;
                within(&place("min_bytes"), *min_bytes, 1, *max_bytes)?;
                within(
                    &place("median_bytes"),
                    *median_bytes,
                    *min_bytes,
                    *max_bytes,
                )?;
                if *sigma > 0.0 && *sigma <= SIGMA_MAX {
                    return Ok(());
                }
                let expected = format!("a number above 0 and at most {SIGMA_MAX}");
                Err(wrong(&place("sigma"), "out of range", &expected, sigma))
            }
            Self::Table { rows } => {
                if rows.is_empty() || rows.len() > ROWS_MAX {
                    let expected = format!("1 to {ROWS_MAX} rows of [bytes, weight]");
                    let what = "bad number of rows";
                    return Err(wrong(&place("rows"), what, &expected, rows.len()));
                }
                for (at, (bytes, weight)) in rows.iter().enumerate() {
                    within(&place(&format!("rows.{at}.0")), *bytes, 1, BODY_BYTES_MAX)?;
                    within(&place(&format!("rows.{at}.1")), *weight, 1, WEIGHT_MAX)?;
                }
                Ok(())
            }
        }
    }

    /// The largest size that an object can have.
    #[must_use]
    pub fn largest(&self) -> u64 {
        match self {
            Self::Fixed { bytes } => *bytes,
            Self::Lognormal { max_bytes, .. } => *max_bytes,
            Self::Table { rows } => rows.iter().map(|row| row.0).max().unwrap_or(0),
        }
    }
}

/// A size for each index, ready to be asked.
#[derive(Clone, Debug)]
pub enum Sizes {
    Fixed(u64),
    Lognormal {
        median: f64,
        sigma: f64,
        min: u64,
        max: u64,
    },
    Table {
        /// Sums of the weights up to and with each row.
        reach: Vec<u64>,
        bytes: Vec<u64>,
    },
}

impl Sizes {
    #[must_use]
    pub fn new(size: &Size) -> Self {
        match size {
            Size::Fixed { bytes } => Self::Fixed(*bytes),
            Size::Lognormal {
                median_bytes,
                sigma,
                min_bytes,
                max_bytes,
            } => Self::Lognormal {
                median: *median_bytes as f64,
                sigma: *sigma,
                min: *min_bytes,
                max: *max_bytes,
            },
            Size::Table { rows } => {
                let mut sum = 0;
                let reach = rows.iter().map(|row| {
                    sum += row.1;
                    sum
                });
                Self::Table {
                    reach: reach.collect(),
                    bytes: rows.iter().map(|row| row.0).collect(),
                }
            }
        }
    }

    /// How many bytes object `index` has.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to min..=max
    pub fn of(&self, index: u64) -> u64 {
        match self {
            Self::Fixed(bytes) => *bytes,
            Self::Lognormal {
                median,
                sigma,
                min,
                max,
            } => {
                let bits = mix(index ^ SALT) >> 11;
                let chance = (bits as f64 + 0.5) / (1_u64 << 53) as f64;
                let bytes = median * exp(sigma * normal_quantile(chance));
                (bytes.round() as u64).clamp(*min, *max)
            }
            Self::Table { reach, bytes } => {
                let whole = reach.last().copied().unwrap_or(1);
                let draw = u128::from(mix(index ^ SALT)) * u128::from(whole);
                let draw = u64::try_from(draw >> 64).unwrap_or(0);
                bytes[reach.partition_point(|reach| *reach <= draw)]
            }
        }
    }
}

/// The standard normal distribution's quantile (Acklam's rational approximation, relative error
/// below 1.2e-9), from nothing but what IEEE 754 rounds in one way: a libm may differ by a bit from
/// machine to machine, and a size must not.
fn normal_quantile(chance: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    const TAIL: f64 = 0.024_25;
    let tail = |chance: f64| {
        let q = (-2.0 * ln(chance)).sqrt();
        polynomial(&C, q) / polynomial(&D, q)
    };
    if chance < TAIL {
        tail(chance)
    } else if chance > 1.0 - TAIL {
        -tail(1.0 - chance)
    } else {
        let q = chance - 0.5;
        polynomial(&A, q * q) * q / polynomial(&B, q * q)
    }
}

/// Coefficients of the highest power first.
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, next| sum * x + next)
}

/// The natural logarithm of a positive, normal number.
fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let mut mantissa = f64::from_bits((bits & MANTISSA) | (1023 << 52));
    let mut power = (bits >> 52) as f64 - 1023.0;
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        power += 1.0;
    }
    // 2 artanh(s): |s| < 0.1716, so that the terms left out are below 1e-17.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let series = (0..11).rev().fold(0.0, |sum, term: u32| {
        sum * s * s + 1.0 / f64::from(2 * term + 1)
    });
    2.0 * s * series + power * std::f64::consts::LN_2
}

/// The exponential function within +-40, more than any size needs.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 1023 +- 58
fn exp(x: f64) -> f64 {
    let x = x.clamp(-40.0, 40.0);
    let power = (x / std::f64::consts::LN_2).round();
    let rest = x - power * std::f64::consts::LN_2;
    // |rest| < 0.35: the terms left out are below 1e-17.
    let series = (1..=14)
        .rev()
        .fold(1.0, |sum, term: u32| 1.0 + rest / f64::from(term) * sum);
    series * f64::from_bits(((power + 1023.0) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(json: serde_json::Value) -> Sizes {
        let size: Size = serde_json::from_value(json).unwrap();
        size.validate().unwrap();
        Sizes::new(&size)
    }

    fn lognormal() -> Sizes {
        sizes(
            serde_json::json!({"distribution": "lognormal", "median_bytes": 65_536,
            "sigma": 1.5, "min_bytes": 512, "max_bytes": 8 << 20}),
        )
    }

    #[test]
    fn own_functions_are_those_of_the_library() {
        for step in 1..2000 {
            let x = f64::from(step) * 0.0005;
            assert!((ln(x) - x.ln()).abs() < 1e-14, "{x}");
            let y = (x - 0.5) * 60.0;
            assert!((exp(y) / y.exp() - 1.0).abs() < 1e-13, "{y}");
        }
        for (chance, quantile) in [
            (0.5, 0.0),
            (0.841_344_746_068_543, 1.0),
            (0.977_249_868_051_821, 2.0),
            (0.001_349_898_031_630_09, -3.0),
        ] {
            assert!(
                (normal_quantile(chance) - quantile).abs() < 1e-8,
                "{chance}"
            );
        }
    }

    #[test]
    fn lognormal_sizes_have_their_median_their_spread_and_their_ends() {
        let sizes = lognormal();
        let mut found: Vec<u64> = (0..100_000).map(|index| sizes.of(index)).collect();
        found.sort_unstable();
        let at = |place: usize| found[place] as f64;
        assert!((at(50_000) / 65_536.0 - 1.0).abs() < 0.02, "{}", at(50_000));
        // One standard deviation above the median is a factor of e^sigma.
        let spread = at(84_134) / at(50_000);
        assert!((spread / 1.5_f64.exp() - 1.0).abs() < 0.03, "{spread}");
        assert!(found[0] >= 512 && found[99_999] == 8 << 20);
    }

    #[test]
    fn a_table_is_followed_by_weight() {
        let rows = serde_json::json!([[10, 70], [20, 25], [30, 5]]);
        let sizes = sizes(serde_json::json!({"distribution": "table", "rows": rows}));
        let count = |bytes| {
            (0..100_000)
                .filter(|index| sizes.of(*index) == bytes)
                .count()
        };
        assert!((69_300..70_700).contains(&count(10)) && (4_700..5_300).contains(&count(30)));
        assert_eq!(count(10) + count(20) + count(30), 100_000);
    }

    #[test]
    fn sizes_never_change_between_versions_or_machines() {
        let sizes = lognormal();
        let found: Vec<u64> = [0, 1, 2, 1_000_000]
            .iter()
            .map(|at| sizes.of(*at))
            .collect();
        assert_eq!(found, [35_458, 38_416, 297_109, 31_308]);
    }
}
