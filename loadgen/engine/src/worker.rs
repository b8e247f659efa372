//! A thread of the schedule: one loop that sends what is due, reads what has come, and sleeps to
//! the next grain.

use crate::ahead::Asks;
use crate::connection::{Connection, Phase, PIECE_BYTES};
use crate::fault::Fault;
use crate::kind::Kind;
use crate::plan::Spoken;
use crate::records::Recorder;
use crate::schedule::Schedule;
use crate::stats::{Second, Totals};
use crate::system::{clock_ns, RunQueue};
use crate::timers::{is_timer, Timers};
use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::time::Timespec;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::Arc;

pub const SECOND_NS: u64 = 1_000_000_000;
const READ_BYTES: usize = 256 << 10;
const EVENTS_MAX: usize = 256;
/// What has come is read before more is sent: a send takes several times what a read does, and
/// all that while an answer that lies there would be counted as still under way. So many at most.
const READS_MAX: usize = 64;
/// Between attempts to reconnect, and the most between two looks at timeouts.
pub const RETRY_NS: u64 = 50_000_000;

/// What a thread tells the main thread.
#[derive(Debug)]
pub enum Message {
    Ready,
    Refused(Fault),
    Second(usize, Box<Second>),
    End(usize, Box<Totals>),
}

/// What a thread must know and does not change.
#[derive(Clone, Debug)]
pub struct Settings {
    pub lane: usize,
    pub address: SocketAddr,
    pub connections: usize,
    /// The first connection's number in records.
    pub first_connection: usize,
    pub spoken: Spoken,
    /// Requests in flight on a connection: pipelined ones, or streams.
    pub depth: usize,
    pub grain_ns: u64,
    pub timeout_ns: u64,
    pub operations: usize,
    /// Whether failed objects are listed (preload).
    pub list_failures: bool,
    /// Whether the thread looks again at once instead of sleeping.
    pub spins: bool,
}

/// When a run begins and ends.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub start_ns: u64,
    pub measure_ns: u64,
    pub end_ns: u64,
}

/// The ends of the channels to the main thread.
#[derive(Debug)]
pub struct Post {
    pub out: SyncSender<Message>,
    /// Cleared seconds come back here.
    pub spare: Receiver<Box<Second>>,
    pub stop: Arc<AtomicBool>,
}

pub struct Worker {
    pub(crate) settings: Settings,
    pub(crate) span: Span,
    pub(crate) post: Post,
    pub(crate) schedule: Schedule,
    pub(crate) asks: Asks,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) epoll: OwnedFd,
    timers: Timers,
    pub(crate) connections: Vec<Connection>,
    /// Connections that can take a request, longest free first.
    pub(crate) free: VecDeque<u32>,
    /// Since when no connection has been free with a slot waiting; decides between backlog and own
    /// fault.
    pub(crate) starved_since_ns: Option<u64>,
    pub(crate) down: usize,
    pub(crate) in_flight: u64,
    /// The last reading of the clock.
    pub(crate) now_ns: u64,
    pub(crate) second: Box<Second>,
    pub(crate) second_end_ns: u64,
    pub(crate) totals: Box<Totals>,
    pub(crate) buffer: Box<[u8]>,
    pub(crate) scratch: Vec<u8>,
    scan_ns: u64,
    run_queue: RunQueue,
    meters: Meters,
}

/// Readings of what only grows.
struct Meters {
    cpu_ns: u64,
    runqueue_ns: u64,
}

impl Meters {
    fn read(run_queue: &RunQueue) -> Self {
        let cpu_ns = crate::system::process_cpu_ns();
        Self {
            cpu_ns,
            runqueue_ns: run_queue.waited_ns(),
        }
    }
}

impl Worker {
    /// A worker with every connection open.
    ///
    /// # Errors
    /// When a connection cannot be opened within the timeout.
    pub fn prepare(
        settings: Settings,
        asks: Asks,
        post: Post,
        recorder: Option<Recorder>,
    ) -> Result<Self, Fault> {
        let refused = |e| Fault::environment("epoll", "cannot be created", "three descriptors", e);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(refused)?;
        let timers = Timers::watched(&epoll).map_err(refused)?;
        let (depth, spoken) = (settings.depth, settings.spoken);
        let span = Span {
            start_ns: 0,
            measure_ns: 0,
            end_ns: 0,
        };
        let mut worker = Self {
            connections: (0..settings.connections)
                .map(|_| Connection::new(depth, spoken))
                .collect(),
            free: VecDeque::with_capacity(settings.connections),
            down: settings.connections,
            totals: Box::new(Totals::new(settings.operations)),
            second: Box::default(),
            second_end_ns: u64::MAX,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            scratch: Vec::with_capacity(2 * PIECE_BYTES),
            starved_since_ns: None,
            in_flight: 0,
            now_ns: clock_ns(),
            scan_ns: 0,
            meters: Meters {
                cpu_ns: 0,
                runqueue_ns: 0,
            },
            run_queue: RunQueue::of_this_thread(),
            settings,
            span,
            post,
            schedule: Schedule::immediate(0, 0),
            asks,
            recorder,
            epoll,
            timers,
        };
        worker.connect_all()?;
        Ok(worker)
    }

    /// The first slot and the ends are known now; until then no time passed for the schedule.
    pub fn set_span(&mut self, span: Span, schedule: Schedule) {
        self.span = span;
        if let Some(ahead) = &mut self.asks.ahead {
            ahead.set_schedule(&schedule);
        }
        self.schedule = schedule;
        self.second_end_ns = span.start_ns + SECOND_NS;
        self.second.cut_ns = u64::MAX;
        self.meters = Meters::read(&self.run_queue);
    }

    /// Runs to the end of the schedule and until nothing is in flight.
    pub fn run(mut self) {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            self.now_ns = clock_ns();
            self.turn_second();
            self.dispatch();
            if self.now_ns >= self.scan_ns {
                self.scan();
            }
            if self.is_finished() {
                break;
            }
            let slept_from_ns = match self.sleep(&mut events) {
                Ok(slept_from_ns) => slept_from_ns.filter(|_| events.len() == 1),
                Err(error) => {
                    self.totals.broken = Some(error.to_string());
                    break;
                }
            };
            for token in events.iter().map(|event| event.data.u64()) {
                if is_timer(token) {
                    self.timers.fired(token, clock_ns(), slept_from_ns);
                }
            }
            for batch in events.chunks(READS_MAX) {
                for event in batch {
                    self.handle(event.data.u64(), event.flags);
                }
                if self
                    .schedule
                    .next_ns()
                    .is_some_and(|next_ns| next_ns <= self.due_ns())
                {
                    self.dispatch();
                }
            }
        }
        self.finish();
    }

    /// Sleeps until something can be read or the next grain with something to do begins, and says
    /// from when on; a thread that spins only looks.
    fn sleep(&mut self, events: &mut Vec<epoll::Event>) -> Result<Option<u64>, Errno> {
        let due_ns = self.wake_ns();
        let signs = self.asks.ahead.is_some() && due_ns > clock_ns() && self.sign_ahead(due_ns);
        let now_ns = clock_ns();
        let immediate = signs || self.settings.spins || self.timers.is_near(due_ns, now_ns);
        if !immediate {
            self.timers.arm(due_ns)?;
            if self.timers.is_one_free() {
                let following_ns = self.following_wake_ns(due_ns);
                let far = following_ns.filter(|moment_ns| !self.timers.is_near(*moment_ns, now_ns));
                far.map_or(Ok(()), |moment_ns| self.timers.arm_following(moment_ns))?;
            }
        }
        let none = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        events.clear();
        let buffer = rustix::buffer::spare_capacity(events);
        match epoll::wait(&self.epoll, buffer, immediate.then_some(&none)) {
            Ok(_) | Err(Errno::INTR) => Ok((!immediate).then_some(now_ns)),
            Err(error) => Err(error),
        }
    }

    /// The last moment whose slots may be sent now: the grain that has ended, or now for a thread
    /// that spins and for a closed loop.
    pub(crate) fn due_ns(&self) -> u64 {
        if self.settings.spins || self.schedule.is_closed_loop() {
            return self.now_ns;
        }
        let since_start_ns = self.now_ns.saturating_sub(self.span.start_ns);
        self.now_ns - since_start_ns % self.settings.grain_ns
    }

    fn wake_ns(&self) -> u64 {
        let wake_ns = self.scan_ns.min(self.second_end_ns);
        match self.schedule.next_ns() {
            Some(next_ns) if self.can_send() => wake_ns.min(self.grain_end_ns(next_ns)),
            None if self.in_flight == 0 => wake_ns.min(self.span.end_ns),
            _ => wake_ns,
        }
    }

    /// The next moment for slots after `wake_ns`; the end of a second, or a scan, has one timer.
    fn following_wake_ns(&self, wake_ns: u64) -> Option<u64> {
        let slot_ns = self.can_send().then(|| self.schedule.after(wake_ns))??;
        Some(self.grain_end_ns(slot_ns))
    }

    /// Whether a slot that falls due can be taken: sent, or failed for want of any connection.
    fn can_send(&self) -> bool {
        let fails = self.down == self.connections.len() && !self.schedule.is_closed_loop();
        !self.free.is_empty() || fails
    }

    /// The end of the grain that holds `slot_ns`.
    fn grain_end_ns(&self, slot_ns: u64) -> u64 {
        let grain_ns = if self.settings.spins {
            1
        } else {
            self.settings.grain_ns
        };
        let grains = (slot_ns - self.span.start_ns).div_ceil(grain_ns);
        self.span.start_ns + grains * grain_ns
    }

    /// Once in a while: an interrupt, timeouts, and connections to open again.
    fn scan(&mut self) {
        let step_ns = (self.settings.timeout_ns / 64).clamp(1_000_000, RETRY_NS);
        self.scan_ns = self.now_ns + step_ns;
        if !self.totals.interrupted && self.post.stop.load(Ordering::Relaxed) {
            self.totals.interrupted = true;
            self.second.cut_ns = self.now_ns;
        }
        let now_ns = self.now_ns;
        for index in 0..self.connections.len() {
            let connection = &self.connections[index];
            let expired =
                |since_ns: u64| now_ns.saturating_sub(since_ns) >= self.settings.timeout_ns;
            let oldest = connection.flights.front();
            let late = oldest.is_some_and(|flight| expired(flight.sent_ns));
            match connection.phase {
                Phase::Open if late && self.settings.spoken == Spoken::Http2 => {
                    self.give_up_streams(index);
                }
                Phase::Open if late => self.lose(index, Kind::Timeout, Kind::Reset),
                Phase::Open if connection.is_silent() && expired(connection.opened_ns) => {
                    self.lose(index, Kind::Timeout, Kind::Reset);
                }
                Phase::Connecting { since_ns } if expired(since_ns) => self.put_down(index),
                Phase::Down { retry_ns } if retry_ns <= now_ns => self.connect(index),
                _ => {}
            }
        }
    }

    fn is_finished(&self) -> bool {
        let ended = self.schedule.next_ns().is_none() && self.now_ns >= self.span.end_ns;
        let waited_ns = self.now_ns.saturating_sub(self.span.end_ns);
        self.totals.interrupted
            || (ended && self.in_flight == 0)
            || (self.span.end_ns > 0 && waited_ns >= self.settings.timeout_ns)
    }

    /// Hands the second over when it has passed.
    pub(crate) fn turn_second(&mut self) {
        while self.now_ns >= self.second_end_ns {
            self.hand_over_second();
        }
    }

    fn hand_over_second(&mut self) {
        self.second.in_flight = self.in_flight;
        let before = std::mem::replace(&mut self.meters, Meters::read(&self.run_queue));
        self.second.runqueue_ns = self.meters.runqueue_ns.saturating_sub(before.runqueue_ns);
        if self.settings.lane == 0 {
            self.second.cpu_ns = self.meters.cpu_ns.saturating_sub(before.cpu_ns);
        }
        let mut next = self.post.spare.try_recv().unwrap_or_default();
        next.index = self.second.index + 1;
        next.cut_ns = self.second.cut_ns;
        self.second_end_ns = self.second_end_ns.saturating_add(SECOND_NS);
        let full = std::mem::replace(&mut self.second, next);
        // A reader that is minutes behind loses seconds (the totals stay right); the schedule never
        // waits.
        drop(
            self.post
                .out
                .try_send(Message::Second(self.settings.lane, full)),
        );
        if let Some(recorder) = &mut self.recorder {
            recorder.hand_over();
        }
    }

    fn finish(mut self) {
        let bound_ns = if self.totals.interrupted {
            self.now_ns
        } else {
            u64::MAX
        };
        self.totals.unfinished = self.in_flight + self.schedule.advance_to(bound_ns);
        self.hand_over_second();
        if let Some(recorder) = self.recorder.take() {
            self.totals.records_dropped = recorder.dropped;
        }
        drop(
            self.post
                .out
                .send(Message::End(self.settings.lane, self.totals)),
        );
    }
}
