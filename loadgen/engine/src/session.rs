//! The threads of one run: opened together, started together, followed second by second.

use crate::ahead::Asks;
use crate::fault::Fault;
use crate::load::{Lane, Load};
use crate::pace::Pace;
use crate::plan::{Arrivals, Plan};
use crate::profile::{whole_rate, Profile, Stretch};
use crate::records::Recorder;
use crate::schedule::Schedule;
use crate::seconds::Seconds;
use crate::stats::{Second, Totals};
use crate::system;
use crate::worker::{Message, Post, Settings, Span, Worker, SECOND_NS};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Seconds that may wait for a slow reader of stdout, times threads; more are lost, the totals are
/// not.
const SECONDS_WAITING: usize = 256;
const SPARE_SECONDS: usize = 2;

/// What the threads ask, and what is kept of it.
pub struct Work {
    /// One for each thread.
    pub loads: Vec<Load>,
    pub operations: usize,
    pub recorders: Vec<Recorder>,
    pub list_failures: bool,
    pub pace: Pace,
}

pub struct Session {
    threads: Vec<JoinHandle<()>>,
    inbox: Receiver<Message>,
    starts: Vec<Sender<(Span, Schedule)>>,
    spares: Vec<Sender<Box<Second>>>,
}

impl Session {
    /// Starts the threads and waits until every connection is open.
    ///
    /// # Errors
    /// The first thread's that could not open its own.
    pub fn open(plan: &Plan, stop: &Arc<AtomicBool>, work: Work) -> Result<Self, Fault> {
        let lanes = work.loads.len();
        let (out, inbox) = mpsc::sync_channel(SECONDS_WAITING);
        let mut session = Self {
            threads: Vec::new(),
            inbox,
            starts: Vec::new(),
            spares: Vec::new(),
        };
        let mut recorders = work.recorders.into_iter();
        for (lane, load) in work.loads.into_iter().enumerate() {
            let settings = Settings {
                operations: work.operations,
                list_failures: work.list_failures,
                spins: work.pace == Pace::Spin,
                ..settings(plan, lane, lanes)
            };
            let (spares, spare) = mpsc::channel();
            (0..SPARE_SECONDS).for_each(|_| drop(spares.send(Box::default())));
            let (starts, start) = mpsc::channel();
            let post = Post {
                out: out.clone(),
                spare,
                stop: Arc::clone(stop),
            };
            let cpus = lane_cpus(&plan.cpus, lane, lanes);
            let asks = Asks::new(plan, load);
            let recorder = recorders.next();
            let body = move || live(&cpus, settings, asks, post, recorder, &start);
            let thread = std::thread::Builder::new()
                .name(format!("lane-{lane}"))
                .spawn(body);
            let thread = thread.map_err(|error| {
                Fault::environment(
                    "threads",
                    "cannot be started",
                    format!("{lanes} threads"),
                    error,
                )
            })?;
            session.threads.push(thread);
            session.starts.push(starts);
            session.spares.push(spares);
        }
        // Only now: a thread inherits its maker's priority. From here on this thread reports,
        // behind the schedule.
        system::step_back();
        session.await_ready()?;
        Ok(session)
    }

    fn await_ready(&self) -> Result<(), Fault> {
        for _ in &self.threads {
            match self.inbox.recv() {
                Ok(Message::Ready) => {}
                Ok(Message::Refused(fault)) => return Err(fault),
                _ => {
                    let expected = "every thread to open its connections";
                    return Err(Fault::environment(
                        "threads",
                        "a thread ended early",
                        expected,
                        "an end",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Lets the threads go.
    pub fn start(&self, span: Span, schedules: &[Schedule]) {
        for (start, schedule) in self.starts.iter().zip(schedules) {
            drop(start.send((span, schedule.clone())));
        }
    }

    /// Reports each second of all threads together, and returns what they did.
    pub fn follow(self, mut on_second: impl FnMut(&Second)) -> Totals {
        let mut seconds = Seconds::new(self.threads.len());
        let mut totals: Option<Totals> = None;
        let mut left = self.threads.len();
        while left > 0 {
            match self.inbox.recv() {
                Ok(Message::Second(lane, mut second)) => {
                    seconds.add(lane, &second);
                    second.clear();
                    drop(self.spares[lane].send(second));
                }
                Ok(Message::End(lane, one)) => {
                    seconds.end(lane);
                    left -= 1;
                    match &mut totals {
                        Some(totals) => totals.merge(*one),
                        None => totals = Some(*one),
                    }
                }
                Ok(Message::Ready | Message::Refused(_)) => {}
                Err(_) => break,
            }
            while let Some(second) = seconds.take_whole() {
                on_second(&second);
            }
        }
        for thread in self.threads {
            drop(thread.join());
        }
        totals.unwrap_or_default()
    }
}

fn settings(plan: &Plan, lane: usize, lanes: usize) -> Settings {
    let connections = plan.connections as usize;
    Settings {
        lane,
        address: plan.address(),
        connections: connections * (lane + 1) / lanes - connections * lane / lanes,
        first_connection: connections * lane / lanes,
        spoken: plan.spoken(),
        depth: plan.depth(),
        grain_ns: plan.grain_ns,
        timeout_ns: plan.timeout_ns,
        operations: 0,
        list_failures: false,
        spins: false,
    }
}

/// A thread's own processor when there is one for each, else the whole set.
fn lane_cpus(cpus: &[usize], lane: usize, lanes: usize) -> Vec<usize> {
    if cpus.len() >= lanes {
        return vec![cpus[lane]];
    }
    cpus.to_vec()
}

fn live(
    cpus: &[usize],
    settings: Settings,
    asks: Asks,
    post: Post,
    recorder: Option<Recorder>,
    start: &Receiver<(Span, Schedule)>,
) {
    let out: SyncSender<Message> = post.out.clone();
    system::sharpen_timers();
    let prepared =
        system::bind_thread(cpus).and_then(|()| Worker::prepare(settings, asks, post, recorder));
    match prepared {
        Ok(mut worker) => {
            drop(out.send(Message::Ready));
            if let Ok((span, schedule)) = start.recv() {
                worker.set_span(span, schedule);
                worker.run();
            }
        }
        Err(fault) => drop(out.send(Message::Refused(fault))),
    }
}

/// The threads' schedules of a run: thread j of n takes every n-th slot of this process, and this
/// process every n-th of the run.
#[must_use]
pub fn schedules(plan: &Plan, span: Span) -> Vec<Schedule> {
    let (lanes, count) = (u64::from(plan.threads), u64::from(plan.share.count));
    let profile = profile(plan, span);
    let one = |lane: u32| match plan.arrivals {
        _ if plan.closed_loop => Schedule::always(span.start_ns, span.end_ns),
        Arrivals::Uniform => {
            let first = u64::from(lane) * count + u64::from(plan.share.index);
            Schedule::uniform(profile.clone(), first, lanes * count)
        }
        Arrivals::Poisson => {
            let stream = crate::draw::Stream::new(plan.seed, lane_seed(plan, lane), 0);
            Schedule::poisson(profile.clone(), lanes * count, stream)
        }
    };
    (0..plan.threads).map(one).collect()
}

/// The whole run's rate over time: the warm-up, then the plan's parts or its one rate.
fn profile(plan: &Plan, span: Span) -> Profile {
    let whole = |rate_rps| whole_rate(rate_rps, plan.share.count);
    let level = |end_ns| Stretch {
        end_ns,
        from_rps: whole(plan.rate_rps),
        to_rps: whole(plan.rate_rps),
    };
    let mut stretches = vec![level(span.measure_ns)];
    let mut seconds = 0.0;
    for part in &plan.parts {
        seconds += part.duration_s;
        stretches.push(Stretch {
            end_ns: after(span.measure_ns, seconds).min(span.end_ns),
            from_rps: whole(part.from_rps),
            to_rps: whole(part.to_rps),
        });
    }
    match stretches.as_mut_slice() {
        [_] => stretches.push(level(span.end_ns)),
        [.., last] => last.end_ns = span.end_ns, // whatever rounding made of the sum
        [] => {}
    }
    Profile::new(span.start_ns, &stretches)
}

/// Tells the random streams of a thread from those of every thread of every process of the run.
#[must_use]
pub fn lane_seed(plan: &Plan, lane: u32) -> u64 {
    u64::from(plan.share.index) * 1_000 + u64::from(lane)
}

/// Which thread of all the run's processes a thread of this one is.
#[must_use]
pub fn lane(plan: &Plan, lane: u32) -> Lane {
    let threads = u64::from(plan.threads);
    Lane {
        seed: lane_seed(plan, lane),
        number: u64::from(plan.share.index) * threads + u64::from(lane),
        of: u64::from(plan.share.count) * threads,
    }
}

/// The run's ends, from the plan and its first slot.
#[must_use]
pub fn span(plan: &Plan, start_ns: u64) -> Span {
    Span {
        start_ns,
        measure_ns: after(start_ns, plan.warmup_s),
        end_ns: after(start_ns, plan.warmup_s + plan.duration_s),
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the plan's limits hold
fn after(time_ns: u64, seconds: f64) -> u64 {
    time_ns + (seconds * SECOND_NS as f64).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_and_threads_make_up_the_whole_schedule_to_the_nanosecond() {
        let plan = |index: u32, count: u32| {
            let rate = |rps: f64| rps / f64::from(count);
            let plan = serde_json::json!({"schema": 1, "seed": 1, "connections": 4, "threads": 2,
                "target": {"address": "::1", "port": 1, "path": "/"}, "scenario": null,
                "rate_rps": rate(1000.0), "warmup_s": 0.5, "duration_s": 3,
                "parts": [{"from_rps": rate(1000.0), "to_rps": rate(1000.0), "duration_s": 1},
                    {"from_rps": rate(1000.0), "to_rps": rate(3000.0), "duration_s": 2}],
                "share": {"index": index, "count": count}});
            Plan::parse(&plan.to_string()).unwrap()
        };
        let times = |plan: &Plan| {
            let mut times = Vec::new();
            for mut schedule in schedules(plan, span(plan, 77)) {
                while let Some(time_ns) = schedule.next_ns() {
                    times.push(time_ns);
                    schedule.advance();
                }
            }
            times.sort_unstable();
            times
        };
        let single = times(&plan(0, 1));
        assert_eq!(single.len(), 500 + 1000 + 4000);
        let reached = single.partition_point(|time_ns| *time_ns < 77 + 1_500_000_000);
        assert_eq!(reached, 1500);
        for count in [2, 3, 7] {
            let mut together: Vec<u64> = (0..count)
                .flat_map(|index| times(&plan(index, count)))
                .collect();
            together.sort_unstable();
            assert_eq!(together, single, "{count}");
        }
    }

    #[test]
    fn processors_are_dealt_out_when_they_suffice() {
        assert_eq!(lane_cpus(&[3, 5], 1, 2), [5]);
        assert_eq!(lane_cpus(&[3], 1, 2), [3]);
        assert!(lane_cpus(&[], 0, 1).is_empty());
    }
}
