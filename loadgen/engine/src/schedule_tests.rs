//! Properties of the schedule, over random profiles from fixed seeds: its count is the integral of
//! the rate, its order is time's, its slots never drift, and shares make up the single schedule.

use super::*;
use crate::profile::Stretch;

const SECOND_NS: u64 = 1_000_000_000;
const WEEK_NS: u64 = 7 * 86_400 * SECOND_NS;
const PROFILES: u64 = 60;

fn all(mut schedule: Schedule) -> Vec<u64> {
    let mut times = Vec::new();
    while let Some(time_ns) = schedule.next_ns() {
        times.push(time_ns);
        schedule.advance();
    }
    times
}

fn level(start_ns: u64, seconds: u64, rate_rps: f64) -> Profile {
    Profile::level(start_ns, start_ns + seconds * SECOND_NS, rate_rps)
}

/// One to six stretches of up to two seconds, level or sloping, up to 5,000 a second.
fn random_stretches(draw: &mut Stream, start_ns: u64) -> Vec<Stretch> {
    let mut end_ns = start_ns;
    let mut stretch = |draw: &mut Stream| {
        end_ns += 1_000_000 + draw.below(2 * SECOND_NS);
        let from_rps = 0.5 + draw.unit() * 5000.0;
        let to_rps = [from_rps, 0.5 + draw.unit() * 5000.0][usize::from(draw.bits() % 2 == 0)];
        Stretch {
            end_ns,
            from_rps,
            to_rps,
        }
    };
    (0..=draw.below(6)).map(|_| stretch(draw)).collect()
}

/// The slots before each end, summed over the stretches in another way than the schedule's.
fn integrals(start_ns: u64, stretches: &[Stretch]) -> Vec<f64> {
    let (mut begin_ns, mut sum) = (start_ns, 0.0);
    let mut integral = |stretch: &Stretch| {
        let seconds = (stretch.end_ns - begin_ns) as f64 / 1e9;
        sum += stretch.from_rps.min(stretch.to_rps) * seconds;
        sum += (stretch.from_rps - stretch.to_rps).abs() * seconds / 2.0;
        begin_ns = stretch.end_ns;
        sum
    };
    stretches.iter().map(&mut integral).collect()
}

/// The first slot after a moment is known without taking one, from wherever the schedule stands.
#[test]
fn the_slot_after_a_moment_is_the_one_that_comes() {
    let mut draw = Stream::new(11, 0, 0);
    for number in 0..PROFILES {
        let profile = Profile::new(1000, &random_stretches(&mut draw, 1000));
        let mut schedule = if number % 2 == 0 {
            Schedule::uniform(profile, 0, 1)
        } else {
            Schedule::poisson(profile, 1, Stream::new(number, 0, 1))
        };
        let times = all(schedule.clone());
        for (taken, pair) in times.windows(2).enumerate() {
            assert_eq!(schedule.after(pair[0] - 1), Some(pair[0]));
            let several = times[taken..].iter().find(|time| **time > pair[1]);
            assert_eq!(schedule.after(pair[1]), several.copied());
            assert_eq!(schedule.number(), taken as u64);
            schedule.advance();
        }
    }
    assert_eq!(
        Schedule::uniform(level(0, 1, 2.0), 0, 1).after(SECOND_NS),
        None
    );
    for schedule in [Schedule::always(5, 100), Schedule::immediate(5, 3)] {
        assert_eq!(schedule.after(4), Some(5));
        assert_eq!(schedule.after(5), None);
    }
}

#[test]
fn uniform_slots_are_products_and_never_drift() {
    let times = all(Schedule::uniform(level(1000, 30, 10_000.0), 0, 1));
    assert_eq!(times.len(), 300_000);
    let exact = |(k, time): (usize, &u64)| *time == 1000 + k as u64 * 100_000;
    assert!(times.iter().enumerate().all(exact));
    let odd = all(Schedule::uniform(level(0, 1000, 3.0), 0, 1));
    assert_eq!(odd.len(), 3000);
    assert_eq!(odd[2999], 999_666_666_666);
}

#[test]
fn nothing_drifts_in_seven_days() {
    for rate in [0.001_f64, 3.0, 9_999.0, 1e5 / 3.0, 5e6] {
        let profile = Profile::level(17, 17 + WEEK_NS, rate);
        let mut schedule = Schedule::uniform(profile, 0, 1);
        let before = schedule.advance_to(17 + WEEK_NS - 10_000_000);
        while let Some(time_ns) = schedule.next_ns() {
            let exact = u128::from(schedule.number()) * 1_000_000_000_000_000_000;
            let exact_ns = 17.0 + exact as f64 / 1e9 / rate;
            assert!(
                (time_ns as f64 - exact_ns).abs() <= 1.5,
                "{rate} {time_ns} {exact_ns}"
            );
            schedule.advance();
        }
        let expected = (rate * WEEK_NS as f64 / 1e9 - 1e-6).ceil();
        assert!(
            (schedule.number() as f64 - expected).abs() < 0.5,
            "{rate} {before}"
        );
    }
}

#[test]
fn each_stretch_holds_its_integral_in_order() {
    let mut draw = Stream::new(11, 0, 9);
    for profile in 0..PROFILES {
        let start_ns = draw.below(1 << 50);
        let stretches = random_stretches(&mut draw, start_ns);
        let times = all(Schedule::uniform(Profile::new(start_ns, &stretches), 0, 1));
        assert!(
            times.windows(2).all(|pair| pair[0] <= pair[1]),
            "{profile}: order"
        );
        for (stretch, sum) in stretches.iter().zip(integrals(start_ns, &stretches)) {
            let count = times.partition_point(|time_ns| *time_ns < stretch.end_ns);
            // Slot 0 is at the start, so a whole number of slots and a bit more is one more slot.
            assert!(
                (count as f64 - sum.ceil()).abs() < 0.5,
                "{profile}: {count} of {sum}"
            );
        }
    }
}

#[test]
fn shares_interleave_into_the_single_schedule_exactly() {
    let mut draw = Stream::new(12, 0, 9);
    for _ in 0..PROFILES {
        let start_ns = draw.below(1 << 50);
        let stretches = random_stretches(&mut draw, start_ns);
        let profile = Profile::new(start_ns, &stretches);
        let single = all(Schedule::uniform(profile.clone(), 0, 1));
        let step = 2 + draw.below(9);
        let share = |first| all(Schedule::uniform(profile.clone(), first, step));
        let mut together: Vec<u64> = (0..step).flat_map(share).collect();
        together.sort_unstable();
        assert_eq!(together, single);
    }
}

#[test]
fn poisson_is_seeded_and_follows_the_rate_through_steps_and_ramps() {
    let stretches = [
        Stretch {
            end_ns: 10 * SECOND_NS,
            from_rps: 2_000.0,
            to_rps: 2_000.0,
        },
        Stretch {
            end_ns: 20 * SECOND_NS,
            from_rps: 10_000.0,
            to_rps: 10_000.0,
        },
        Stretch {
            end_ns: 30 * SECOND_NS,
            from_rps: 10_000.0,
            to_rps: 2_000.0,
        },
    ];
    let draw = |seed| {
        let profile = Profile::new(0, &stretches);
        all(Schedule::poisson(profile, 1, Stream::new(seed, 0, 0)))
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    let times = draw(1);
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
    let mut before = 0;
    for (end_s, expected) in [
        (10, 20_000.0_f64),
        (20, 100_000.0),
        (25, 40_000.0),
        (30, 20_000.0),
    ] {
        let reached = times.partition_point(|time_ns| *time_ns < end_s * SECOND_NS);
        let found = (reached - before) as f64;
        assert!(
            (found - expected).abs() < 4.0 * expected.sqrt(),
            "{end_s} s: {found}"
        );
        before = reached;
    }
}

#[test]
fn poisson_gaps_are_exponential() {
    let times = all(Schedule::poisson(
        level(0, 20, 10_000.0),
        1,
        Stream::new(1, 0, 0),
    ));
    let mut gaps: Vec<f64> = times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) as f64 / 100_000.0)
        .collect();
    gaps.sort_unstable_by(f64::total_cmp);
    let count = gaps.len() as f64;
    let distance =
        |(at, gap): (usize, &f64)| ((at as f64 + 0.5) / count - 1.0 + (-gap).exp()).abs();
    let worst = gaps.iter().enumerate().map(distance).fold(0.0, f64::max);
    assert!(
        worst < 1.63 / count.sqrt(),
        "Kolmogorov-Smirnov at 1%: {worst}"
    );
}

#[test]
fn advancing_to_a_time_counts_every_slot_before_it() {
    let mut draw = Stream::new(13, 0, 9);
    for profile in 0..PROFILES {
        let start_ns = 500;
        let stretches = random_stretches(&mut draw, start_ns);
        let end_ns = stretches.last().unwrap().end_ns;
        let profile_of = || Profile::new(start_ns, &stretches);
        let uniform = Schedule::uniform(profile_of(), 2, 3);
        let poisson = Schedule::poisson(profile_of(), 3, Stream::new(profile, 0, 0));
        for mut schedule in [uniform, poisson] {
            let times = all(schedule.clone());
            let (mut counted, mut time_ns) = (0, 0);
            while time_ns < end_ns {
                time_ns += 1 + draw.below(97_000_001);
                counted += schedule.advance_to(time_ns);
                let due = times.iter().filter(|t| **t < time_ns).count() as u64;
                assert_eq!(counted, due, "{profile} {time_ns}");
                let next = times.get(usize::try_from(due).unwrap()).copied();
                assert_eq!(schedule.next_ns(), next);
            }
        }
    }
}

#[test]
fn a_cut_schedule_ends_and_an_immediate_one_counts() {
    let mut schedule = Schedule::uniform(level(0, 1, 1000.0), 0, 1);
    schedule.cut(10_000_000);
    assert_eq!(all(schedule).len(), 10);
    assert_eq!(all(Schedule::immediate(5, 3)), vec![5, 5, 5]);
    assert!(all(Schedule::immediate(5, 0)).is_empty());
    let mut half = Schedule::immediate(5, 3);
    half.advance();
    half.cut(6);
    assert!(all(half).is_empty());
}

#[test]
fn a_closed_loop_is_always_due_until_its_end() {
    let mut schedule = Schedule::always(5, 100);
    for now_ns in [5, 50, 99] {
        schedule.end_by(now_ns);
        assert_eq!(schedule.next_ns(), Some(5));
        schedule.advance();
    }
    assert_eq!((schedule.number(), schedule.advance_to(u64::MAX)), (3, 0));
    schedule.end_by(100);
    assert_eq!(schedule.next_ns(), None);
}
