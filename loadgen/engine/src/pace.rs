//! Whether the threads of the schedule sleep between slots, or spin: look again at once. Spinning
//! is done in ordinary priority only: under `SCHED_FIFO` the kernel stops it for 50 ms a second.

use crate::plan::Plan;
use crate::system::{clock_ns, RunQueue};
use rustix::time::{
    timerfd_create, timerfd_settime, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags,
    Timespec,
};
use serde::Deserialize;
use serde_json::{json, Value};

/// Wake-ups that are timed before `auto` decides, and how far ahead each of them is set.
const WAKES: usize = 101;
const AHEAD_NS: u64 = 200_000;
/// More than this share of the time on the run queue: somebody else wants the processor.
const WAITED_SHARE_MAX: f64 = 0.01;

/// What the plan asks for.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Asked {
    #[default]
    Sleep,
    Spin,
    Auto,
}

impl Asked {
    fn name(self) -> &'static str {
        match self {
            Self::Sleep => "sleep",
            Self::Spin => "spin",
            Self::Auto => "auto",
        }
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    Sleep,
    Spin,
}

/// What is done, and why; `late_ns` is how late nine of ten wake-ups were at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub pace: Pace,
    pub why: String,
    pub late_ns: Option<u64>,
}

impl Choice {
    fn new(pace: Pace, why: impl Into<String>, late_ns: Option<u64>) -> Self {
        let why = why.into();
        Self { pace, why, late_ns }
    }

    /// The field `pace` of `done`.
    #[must_use]
    pub fn json(&self, asked: Asked) -> Value {
        let chosen = match self.pace {
            Pace::Sleep => Asked::Sleep,
            Pace::Spin => Asked::Spin,
        };
        json!({"asked": asked.name(), "chosen": chosen.name(), "why": self.why,
            "wake_late_ns_p90": self.late_ns})
    }
}

/// Decides for a plan; `auto` takes 20 ms for it.
#[must_use]
pub fn choose(plan: &Plan) -> Choice {
    match plan.pace {
        Asked::Sleep => Choice::new(Pace::Sleep, "asked for", None),
        Asked::Spin => Choice::new(Pace::Spin, "asked for", None),
        Asked::Auto if plan.closed_loop => {
            Choice::new(Pace::Sleep, "a closed loop has no times to be kept", None)
        }
        Asked::Auto => weigh(plan, measure),
    }
}

/// How late wake-ups are, in order, and the share of the time spent on the run queue.
type Wakes = Option<(Vec<u64>, f64)>;

fn weigh(plan: &Plan, measure: impl Fn() -> Wakes) -> Choice {
    let (cpus, threads) = (plan.cpus.len(), plan.threads as usize);
    if cpus <= threads {
        // A thread that spins leaves nothing to the writer, Locust and the probes beside it.
        let why = format!("{cpus} cpus named for {threads} threads and what else runs there");
        return Choice::new(Pace::Sleep, why, None);
    }
    let Some((late_ns, waited)) = measure() else {
        return Choice::new(Pace::Sleep, "wake-ups cannot be timed here", None);
    };
    let late = late_ns.get(late_ns.len() * 9 / 10).copied();
    if waited > WAITED_SHARE_MAX {
        let why = format!(
            "the cpu is not its own: {:.1}% run-queue wait",
            waited * 100.0
        );
        return Choice::new(Pace::Sleep, why, late);
    }
    let late_ns = late.unwrap_or(0);
    let grain_ns = plan.grain_ns;
    if late_ns > grain_ns {
        let why = format!("one wake-up in ten is over {late_ns} ns late, grain {grain_ns} ns");
        return Choice::new(Pace::Spin, why, late);
    }
    let why = format!("nine wake-ups of ten are at most {late_ns} ns late, grain {grain_ns} ns");
    Choice::new(Pace::Sleep, why, late)
}

fn measure() -> Wakes {
    crate::system::sharpen_timers();
    let run_queue = RunQueue::of_this_thread();
    let (begin_ns, waited_before_ns) = (clock_ns(), run_queue.waited_ns());
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).ok()?;
    let mut late_ns = Vec::with_capacity(WAKES);
    for _ in 0..WAKES {
        let due_ns = clock_ns() + AHEAD_NS;
        let value = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: Timespec {
                tv_sec: i64::try_from(due_ns / 1_000_000_000).ok()?,
                tv_nsec: i64::try_from(due_ns % 1_000_000_000).ok()?,
            },
        };
        timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME, &value).ok()?;
        rustix::io::read(&timer, &mut [0_u8; 8]).ok()?;
        late_ns.push(clock_ns().saturating_sub(due_ns));
    }
    late_ns.sort_unstable();
    let waited_ns = run_queue.waited_ns() - waited_before_ns;
    Some((late_ns, waited_ns as f64 / (clock_ns() - begin_ns) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(cpus: &[usize]) -> Plan {
        let plan = json!({"schema": 1, "target": {"address": "::1", "port": 1, "path": "/"},
            "scenario": null, "rate_rps": 1, "warmup_s": 0, "duration_s": 1, "connections": 2,
            "threads": 1, "seed": 1, "pace": "auto", "cpus": cpus, "grain_ns": 20_000});
        Plan::parse(&plan.to_string()).unwrap()
    }

    fn wakes(late_ns: u64, waited: f64) -> (Vec<u64>, f64) {
        (vec![late_ns; 10], waited)
    }

    #[test]
    fn auto_spins_only_where_waking_is_late_and_the_core_its_own() {
        let late = |late_ns, waited| weigh(&plan(&[0, 1]), || Some(wakes(late_ns, waited))).pace;
        assert_eq!(late(60_000, 0.0), Pace::Spin);
        assert_eq!(late(19_000, 0.0), Pace::Sleep);
        assert_eq!(late(60_000, 0.05), Pace::Sleep);
        for cpus in [&[][..], &[0]] {
            let choice = weigh(&plan(cpus), || unreachable!("nothing is measured"));
            assert_eq!((choice.pace, choice.late_ns), (Pace::Sleep, None));
        }
        assert_eq!(weigh(&plan(&[0, 1]), || None).pace, Pace::Sleep);
    }

    #[test]
    fn wake_ups_can_be_timed_here() {
        let (late_ns, waited) = measure().unwrap();
        assert_eq!(late_ns.len(), WAKES);
        assert!(late_ns.windows(2).all(|pair| pair[0] <= pair[1]) && (0.0..=1.0).contains(&waited));
    }
}
