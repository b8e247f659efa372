//! `hiccup`: a thread a CPU that only sleeps, and tells how late it woke: what the machine does to
//! whoever runs there. (After Gil Tene's jHiccup.)

use crate::fault::Fault;
use crate::out::Out;
use crate::stats::Times;
use crate::system::{self, clock_ns, RunQueue};
use crate::worker::SECOND_NS;
use hdrhistogram::serialization::V2DeflateSerializer;
use serde_json::{json, Value};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, Sender};
use std::sync::Arc;

const USAGE: &str = "hiccup --cpus 0,1 [--interval-us 2000]";
const INTERVAL_US: u64 = 2000;
const INTERVAL_US_LEAST: u64 = 100; // more often, and it is a load of its own
const INTERVAL_US_MOST: u64 = 100_000;
/// Beyond this an absolute schedule has lost its meaning: the machine was suspended.
const POINTS_MOST: u64 = 100_000;

/// What the command line asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub cpus: Vec<usize>,
    pub interval_ns: u64,
}

impl Asked {
    /// Reads the words behind `hiccup`.
    ///
    /// # Errors
    /// A word that is not known, a number that is none or out of bounds, no CPU.
    pub fn read(words: &[&str]) -> Result<Self, Fault> {
        let (mut cpus, mut interval_us) = (Vec::new(), INTERVAL_US);
        for pair in words.chunks(2) {
            match pair {
                ["--cpus", list] => {
                    let numbers: Result<Vec<usize>, _> =
                        list.split(',').map(str::parse::<usize>).collect();
                    cpus = numbers.map_err(|_| wrong("--cpus", "numbers as in 0,1", list))?;
                }
                ["--interval-us", text] => {
                    let bounds = INTERVAL_US_LEAST..=INTERVAL_US_MOST;
                    let number = text.parse().ok().filter(|number| bounds.contains(number));
                    let expected = format!("{INTERVAL_US_LEAST} to {INTERVAL_US_MOST}");
                    interval_us = number.ok_or_else(|| wrong("--interval-us", expected, text))?;
                }
                other => return Err(wrong("arguments", USAGE, &other.join(" "))),
            }
        }
        if cpus.is_empty() {
            return Err(wrong("--cpus", "at least one CPU", "none"));
        }
        cpus.sort_unstable();
        cpus.dedup();
        Ok(Self {
            cpus,
            interval_ns: interval_us * 1000,
        })
    }
}

fn wrong(place: &str, expected: impl Into<String>, found: &str) -> Fault {
    Fault::usage(place, "not understood", expected.into(), found)
        .hint("see pausemark-engine --help")
}

/// What one CPU did to its sleeper in one second.
#[derive(Debug)]
struct Second {
    cpu: usize,
    start_ns: u64,
    end_ns: u64,
    hiccups: Times,
    /// For which the sleeper waited behind others on its CPU: taken off. `None`: not counted here.
    waited_ns: Option<u64>,
}

/// Sleeps and tells until SIGTERM; true when it was asked to end.
///
/// # Errors
/// When the words are wrong or a CPU cannot be bound to.
pub fn run(words: &[&str]) -> Result<bool, Fault> {
    let asked = Asked::read(words)?;
    let stop = system::arrange_end()?;
    let out = Out::new(Arc::clone(&stop));
    for cpu in &asked.cpus {
        // Refusals are this thread's, before any sleeper starts.
        system::bind_thread(&[*cpu])?;
    }
    // What is told costs a fraction of a millisecond a second: on the first CPU alone.
    system::bind_thread(&asked.cpus[..1])?;
    let (sender, seconds) = channel();
    let start_ns = clock_ns() + asked.interval_ns;
    let cpus = asked.cpus.clone();
    let sleepers: Vec<_> = cpus
        .into_iter()
        .map(|cpu| {
            let (stop, sender) = (Arc::clone(&stop), sender.clone());
            let interval_ns = asked.interval_ns;
            std::thread::spawn(move || Sleeper::new(cpu, interval_ns, start_ns).run(&stop, &sender))
        })
        .collect();
    drop(sender);
    system::step_back();
    out.event(
        &json!({"event": "ready", "pid": std::process::id(), "clock_ns": clock_ns(),
        "cpus": asked.cpus, "interval_ns": asked.interval_ns}),
    );
    let mut serializer = V2DeflateSerializer::new();
    for second in seconds {
        out.event(&event(&second, &mut serializer));
    }
    for sleeper in sleepers {
        drop(sleeper.join());
    }
    out.event(&json!({"event": "done", "cpu_ns": system::process_cpu_ns()}));
    Ok(true)
}

fn event(second: &Second, serializer: &mut V2DeflateSerializer) -> Value {
    json!({"event": "second", "cpu": second.cpu, "start_ns": second.start_ns,
        "end_ns": second.end_ns, "count": second.hiccups.count(), "waited_ns": second.waited_ns,
        "max_ns": second.hiccups.quantile_ns(1.0),
        "hiccups": second.hiccups.encoded(serializer)})
}

/// One CPU's thread.
struct Sleeper {
    interval_ns: u64,
    next_ns: u64,
    second: Second,
}

impl Sleeper {
    fn new(cpu: usize, interval_ns: u64, start_ns: u64) -> Self {
        let second = Second {
            cpu,
            start_ns,
            end_ns: start_ns + SECOND_NS,
            hiccups: Times::default(),
            waited_ns: None,
        };
        Self {
            interval_ns,
            next_ns: start_ns,
            second,
        }
    }

    fn run(mut self, stop: &AtomicBool, out: &Sender<Second>) {
        // The main thread bound to this CPU a moment ago; a CPU that went away since is not told.
        if system::bind_thread(&[self.second.cpu]).is_err() {
            return;
        }
        system::sharpen_timers();
        let queue = RunQueue::of_this_thread();
        let mut waited_ns = queue.counted_ns();
        while !stop.load(Ordering::Relaxed) {
            system::sleep_until(self.next_ns);
            let now_ns = clock_ns();
            let counted_ns = queue.counted_ns();
            let own_ns = counted_ns.zip(waited_ns).map(|(now, before)| now - before);
            waited_ns = counted_ns;
            if self.woke(now_ns, own_ns) && out.send(self.turn()).is_err() {
                return;
            }
        }
        self.second.end_ns = clock_ns();
        drop(out.send(self.second));
    }

    /// Notes a wake-up: each point of the schedule that has passed counts with what was left to
    /// wait for it, as requests that came due meanwhile would. True when the second is over.
    fn woke(&mut self, now_ns: u64, waited_ns: Option<u64>) -> bool {
        if let Some(waited_ns) = waited_ns {
            *self.second.waited_ns.get_or_insert(0) += waited_ns;
        }
        let ran_ns = now_ns.saturating_sub(waited_ns.unwrap_or(0));
        let missed = now_ns.saturating_sub(self.next_ns) / self.interval_ns;
        if missed > POINTS_MOST {
            self.next_ns = now_ns - POINTS_MOST * self.interval_ns;
        }
        while self.next_ns <= now_ns {
            self.second
                .hiccups
                .record(ran_ns.saturating_sub(self.next_ns));
            self.next_ns += self.interval_ns;
        }
        self.next_ns > self.second.end_ns
    }

    /// The second that is over; the next one begins where it ended.
    fn turn(&mut self) -> Second {
        let start_ns = self.second.end_ns;
        let next = Second {
            cpu: self.second.cpu,
            start_ns,
            end_ns: start_ns + SECOND_NS * ((self.next_ns - start_ns) / SECOND_NS + 1),
            hiccups: Times::default(),
            waited_ns: None,
        };
        std::mem::replace(&mut self.second, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn arguments_are_read_or_refused_with_what_was_expected() {
        let asked = Asked::read(&["--cpus", "1,0,1", "--interval-us", "500"]).unwrap();
        assert_eq!((asked.cpus, asked.interval_ns), (vec![0, 1], 500_000));
        for words in [
            &["--cpus", "x"][..],
            &["--cpus"],
            &["--cpus", "0", "--interval-us", "1"],
            &["--interval-us", "1000"],
            &["--what", "1"],
            &[],
        ] {
            assert!(Asked::read(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn a_stall_counts_at_every_point_that_it_covered() {
        let mut sleeper = Sleeper::new(0, MS, 10 * MS);
        assert!(!sleeper.woke(10 * MS + 50_000, Some(0)));
        assert_eq!(sleeper.second.hiccups.count(), 1);
        // 20 ms late: points at 11 to 31 ms, with 20 down to 0 ms left.
        sleeper.woke(31 * MS, Some(0));
        assert_eq!(sleeper.second.hiccups.count(), 22);
        let p50_ns = sleeper.second.hiccups.quantile_ns(0.5);
        assert!((9 * MS..=11 * MS).contains(&p50_ns), "{p50_ns}");
        assert_eq!(sleeper.next_ns, 32 * MS);
    }

    #[test]
    fn waiting_behind_others_on_the_cpu_is_not_the_machines_doing() {
        let mut sleeper = Sleeper::new(0, 100 * MS, 10 * MS);
        sleeper.woke(13 * MS, Some(2 * MS));
        assert_eq!(sleeper.second.waited_ns, Some(2 * MS));
        let late_ns = sleeper.second.hiccups.quantile_ns(1.0);
        assert!(
            (MS * 99 / 100..=MS * 101 / 100).contains(&late_ns),
            "{late_ns}"
        );
    }

    #[test]
    fn a_second_ends_with_its_last_point_and_a_suspended_machine_is_survived() {
        let mut sleeper = Sleeper::new(0, MS, 0);
        assert!(!sleeper.woke(999 * MS, None));
        assert!(sleeper.woke(1000 * MS, None));
        let second = sleeper.turn();
        assert_eq!((second.start_ns, second.end_ns), (0, SECOND_NS));
        assert_eq!((second.hiccups.count(), second.waited_ns), (1001, None));
        assert!(sleeper.woke(3_600 * SECOND_NS, None));
        assert_eq!(sleeper.second.hiccups.count(), POINTS_MOST + 1);
        assert_eq!(sleeper.turn().start_ns, SECOND_NS);
        assert!(sleeper.second.end_ns > 3_600 * SECOND_NS);
    }
}
