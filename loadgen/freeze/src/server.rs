//! One thread, epoll, keep-alive: every request gets the same answer, unless a freeze is on or the
//! script has something else for it.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use rustix::event::{epoll, Timespec};
use rustix::fd::OwnedFd;
use rustix::time::{clock_gettime, ClockId};

use crate::agenda::Agenda;
use crate::connection::{Connection, Pending};
use crate::ledger::{Done, Ledger};
use crate::options::Options;
use crate::script::{Deed, Pace, Script};
use crate::timeline::Timeline;

const LISTENER: u64 = u64::MAX;
const EVENTS_MAX: usize = 256;
/// How long it may sleep without looking whether it was asked to end.
const WAIT_NS_MAX: u64 = 200_000_000;

fn clock_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    // both fields of a clock that counts from boot are positive
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

fn now_ns() -> u64 {
    clock_ns(ClockId::Monotonic)
}

fn sleep_until_ns(end_ns: u64) {
    loop {
        let now = now_ns();
        if now >= end_ns {
            return;
        }
        std::thread::sleep(std::time::Duration::from_nanos(end_ns - now));
    }
}

fn nanoseconds(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The answer to every request, and where its body is cut in two.
struct Answer {
    bytes: Vec<u8>,
    half: usize,
}

impl Answer {
    fn new(body_bytes: usize) -> Self {
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: pausemark-freeze\r\nContent-Length: {body_bytes}\r\n\r\n"
        );
        let half = head.len() + body_bytes / 2;
        let mut bytes = head.into_bytes();
        bytes.resize(bytes.len() + body_bytes, b'x');
        Self { bytes, half }
    }
}

/// Serves until SIGTERM or SIGINT, then writes the log.
///
/// # Errors
///
/// The port is taken, or the log cannot be written.
pub fn serve(options: &Options) -> std::io::Result<()> {
    let over = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&over))?;
    }
    // a sleep ends when it was asked to; where that is refused, the log says how late it was
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let mut server = Server::new(options)?;
    let mut events = Vec::with_capacity(EVENTS_MAX);
    while !over.load(Ordering::Relaxed) {
        server.freeze_if_due();
        server.wait(&mut events)?;
        for event in events.drain(..) {
            match event.data.u64() {
                LISTENER => server.accept()?,
                token => server.turn(token),
            }
        }
        server.do_what_is_due();
    }
    match &options.log {
        Some(log) => {
            let cpu_ns = clock_ns(ClockId::ProcessCPUTime);
            server.timeline.write(log, &server.ledger, cpu_ns)
        }
        None => Ok(()),
    }
}

struct Server {
    listener: TcpListener,
    poll: OwnedFd,
    connections: HashMap<u64, Connection>,
    /// Numbers are never used twice: what is due for one that has gone finds nobody.
    next_connection: u64,
    answer: Answer,
    script: Script,
    pace: Pace,
    agenda: Agenda,
    ledger: Ledger,
    timeline: Timeline,
}

impl Server {
    fn new(options: &Options) -> std::io::Result<Self> {
        let listener = TcpListener::bind((options.address.as_str(), options.port))?;
        listener.set_nonblocking(true)?;
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let token = epoll::EventData::new_u64(LISTENER);
        epoll::add(&poll, &listener, token, epoll::EventFlags::IN)?;
        Ok(Self {
            listener,
            poll,
            connections: HashMap::new(),
            next_connection: 0,
            answer: Answer::new(options.body_bytes),
            script: options.script,
            pace: Pace::new(options.script.serve_rps),
            agenda: Agenda::default(),
            ledger: Ledger::default(),
            timeline: Timeline::new(options.freeze, options.every),
        })
    }

    fn freeze_if_due(&mut self) {
        let now = now_ns();
        if let Some(length) = self.timeline.due_ns(now) {
            sleep_until_ns(now + length);
            self.timeline.froze(now, now_ns());
        }
    }

    fn wait(&self, events: &mut Vec<epoll::Event>) -> std::io::Result<()> {
        let now = now_ns();
        let freeze = self.timeline.until_next_ns(now).unwrap_or(WAIT_NS_MAX);
        let due = self.agenda.next_ns();
        let due = due.map_or(WAIT_NS_MAX, |due_ns| due_ns.saturating_sub(now));
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: i64::try_from(freeze.min(due).min(WAIT_NS_MAX)).unwrap_or(0),
        };
        events.clear();
        let room = rustix::buffer::spare_capacity(events);
        match epoll::wait(&self.poll, room, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn accept(&mut self) -> std::io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    let token = self.next_connection;
                    self.next_connection += 1;
                    let data = epoll::EventData::new_u64(token);
                    epoll::add(&self.poll, &stream, data, epoll::EventFlags::IN)?;
                    self.connections.insert(token, Connection::new(stream));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads what is there and does what is to be done with every whole request.
    fn turn(&mut self, token: u64) {
        let read = self
            .connections
            .get_mut(&token)
            .is_some_and(Connection::read);
        if !(read && self.take_requests(token)) {
            self.connections.remove(&token);
        }
    }

    /// False: the connection is over.
    fn take_requests(&mut self, token: u64) -> bool {
        while self
            .connections
            .get_mut(&token)
            .is_some_and(Connection::take_request)
        {
            if !self.begin(token) {
                return false;
            }
        }
        true
    }

    /// A request has come; false: the connection is over.
    fn begin(&mut self, token: u64) -> bool {
        let Some(connection) = self.connections.get_mut(&token) else {
            return false;
        };
        let number = self.timeline.counted();
        let deed = self.script.deed(number);
        if deed == Deed::Answer {
            let alive = connection.write(&self.answer.bytes);
            self.timeline.served(now_ns());
            return alive;
        }
        let pending = Pending {
            deed,
            number,
            received_ns: now_ns(),
            first_ns: 0,
        };
        let later = match deed {
            Deed::Slow => pending.received_ns + nanoseconds(self.script.slow),
            Deed::Late => pending.received_ns + nanoseconds(self.script.first_byte),
            Deed::Paced => self.pace.turn_ns(pending.received_ns),
            _ => 0,
        };
        connection.pending = Some(pending);
        if later > 0 {
            self.agenda.add(later, token);
            return true;
        }
        self.do_now(token, pending)
    }

    /// What is done at once and ends the connection, or what the client waits for.
    fn do_now(&mut self, token: u64, mut pending: Pending) -> bool {
        let Some(connection) = self.connections.get_mut(&token) else {
            return false;
        };
        let whole = pending.deed == Deed::Finish;
        let alive = match pending.deed {
            Deed::Cut | Deed::Finish => {
                let end = if whole {
                    self.answer.bytes.len()
                } else {
                    self.answer.half
                };
                let written = connection.write(&self.answer.bytes[..end]);
                pending.first_ns = now_ns();
                written && connection.finish()
            }
            Deed::Reset => {
                connection.reset();
                false
            }
            _ => true, // dropped: nobody answers, and nobody hangs up
        };
        self.note(pending, if whole { pending.first_ns } else { 0 });
        alive
    }

    fn note(&mut self, pending: Pending, last_ns: u64) {
        self.ledger.add(Done {
            deed: pending.deed,
            number: pending.number,
            received_ns: pending.received_ns,
            first_ns: pending.first_ns,
            last_ns,
        });
    }

    fn do_what_is_due(&mut self) {
        while let Some(token) = self.agenda.take(now_ns()) {
            if !(self.answer_late(token) && self.take_requests(token)) {
                self.connections.remove(&token);
            }
        }
    }

    /// What a request has waited for; false: the connection is over.
    fn answer_late(&mut self, token: u64) -> bool {
        let Some(connection) = self.connections.get_mut(&token) else {
            return false; // the client has gone
        };
        let Some(pending) = &mut connection.pending else {
            return true;
        };
        let in_parts = pending.deed == Deed::Late && !self.script.last_byte.is_zero();
        if in_parts && pending.first_ns == 0 {
            pending.first_ns = now_ns();
            self.agenda
                .add(pending.first_ns + nanoseconds(self.script.last_byte), token);
            return connection.write(&self.answer.bytes[..self.answer.half]);
        }
        let mut pending = *pending;
        let rest = if in_parts {
            self.answer.half
        } else {
            pending.first_ns = now_ns();
            0
        };
        connection.pending = None;
        let last_ns = now_ns();
        let alive = connection.write(&self.answer.bytes[rest..]);
        self.timeline.served(last_ns);
        self.note(pending, last_ns);
        alive
    }
}
