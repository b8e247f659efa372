//! What the engine asks of the kernel: the clock, CPU times, affinity, priorities, limits and
//! signals.

use crate::fault::Fault;
use rustix::process::{Resource, Rlimit, Signal};
use rustix::thread::{ClockId, CpuSet, Timespec};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

/// Descriptors besides the connections: standard streams, epoll, files.
const DESCRIPTORS_SPARE: u64 = 64;
/// The set of what it waits for, two timers, its run queue's figures.
const DESCRIPTORS_A_THREAD: u64 = 4;
/// The writer and the reporter must never take the processor from the schedule.
const NICE_BACKGROUND: i32 = 10;

fn nanoseconds(time: Timespec) -> u64 {
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// `CLOCK_MONOTONIC` in nanoseconds; no system call where the kernel has a vDSO clock.
#[must_use]
pub fn clock_ns() -> u64 {
    nanoseconds(rustix::time::clock_gettime(ClockId::Monotonic))
}

/// CPU time of this process so far.
#[must_use]
pub fn process_cpu_ns() -> u64 {
    nanoseconds(rustix::time::clock_gettime(ClockId::ProcessCPUTime))
}

/// The calling thread's `/proc/thread-self/schedstat`, kept open.
#[derive(Debug)]
pub struct RunQueue(Option<std::fs::File>);

impl RunQueue {
    #[must_use]
    pub fn of_this_thread() -> Self {
        Self(std::fs::File::open("/proc/thread-self/schedstat").ok())
    }

    /// Nanoseconds for which the thread was runnable and did not run; 0 where the kernel keeps no
    /// count.
    #[must_use]
    pub fn waited_ns(&self) -> u64 {
        self.counted_ns().unwrap_or(0)
    }

    /// The same; `None` where the kernel keeps no count.
    #[must_use]
    pub fn counted_ns(&self) -> Option<u64> {
        let mut bytes = [0_u8; 80];
        let read = self.0.as_ref()?.read_at(&mut bytes, 0).ok()?;
        let text = std::str::from_utf8(&bytes[..read]).ok()?;
        text.split_ascii_whitespace().nth(1)?.parse().ok()
    }
}

/// This process dies with its parent, and SIGTERM and SIGINT set the returned flag.
///
/// # Errors
/// When the kernel refuses either.
pub fn arrange_end() -> Result<Arc<AtomicBool>, Fault> {
    let refused = |error: std::io::Error| {
        Fault::environment(
            "signals",
            "cannot be arranged",
            "prctl and sigaction to work",
            error,
        )
    };
    let parent = rustix::process::getppid();
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| refused(error.into()))?;
    // The parent may have died before prctl: then the signal never comes.
    if rustix::process::getppid() != parent {
        return Err(refused(std::io::Error::other("the parent has ended")));
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(refused)?;
    }
    Ok(stop)
}

/// Raises the soft limit of open files to what `connections` and `threads` need.
///
/// # Errors
/// When the hard limit is lower.
pub fn allow_descriptors(connections: u32, threads: u32) -> Result<(), Fault> {
    let needed =
        u64::from(connections) + u64::from(threads) * DESCRIPTORS_A_THREAD + DESCRIPTORS_SPARE;
    let limit = rustix::process::getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(needed),
        maximum: limit.maximum,
    };
    rustix::process::setrlimit(Resource::Nofile, raised).map_err(|_| {
        let found = limit.maximum.unwrap_or(u64::MAX);
        Fault::environment(
            "connections",
            "too few open files allowed",
            needed.to_string(),
            found,
        )
        .hint("raise the hard limit (ulimit -Hn) or ask for fewer connections")
    })
}

/// Binds the calling thread to `cpus`; none means no binding.
///
/// # Errors
/// When the kernel refuses the set.
pub fn bind_thread(cpus: &[usize]) -> Result<(), Fault> {
    if cpus.is_empty() {
        return Ok(());
    }
    let refused = |found: String| {
        let expected = "numbers of processors that this process may use";
        Fault::usage("cpus", "cannot be bound to", expected, found)
            .hint("see the allowed processors in /proc/self/status, Cpus_allowed_list")
    };
    let mut set = CpuSet::new();
    for cpu in cpus {
        if *cpu >= CpuSet::MAX_CPU {
            return Err(refused(cpu.to_string()));
        }
        set.set(*cpu);
    }
    rustix::thread::sched_setaffinity(None, &set).map_err(|_| refused(format!("{cpus:?}")))
}

/// Sleeps to a moment of `CLOCK_MONOTONIC`; a signal may end it earlier.
pub fn sleep_until(moment_ns: u64) {
    let request = Timespec {
        tv_sec: i64::try_from(moment_ns / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(moment_ns % 1_000_000_000).unwrap_or(0),
    };
    let _ = rustix::thread::clock_nanosleep_absolute(ClockId::Monotonic, &request);
}

/// The calling thread gives way to the schedule. Failure is harmless.
pub fn step_back() {
    let thread = Some(rustix::thread::gettid());
    let _ = rustix::process::setpriority_process(thread, NICE_BACKGROUND);
}

/// Timers of the calling thread fire on time, not up to 50 us later. Failure shows in the send lag.
pub fn sharpen_timers() {
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}
