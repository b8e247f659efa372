//! The event loop: accept, serve, keep the clock, end what is silent too long, stop.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Poll, Token, Waker};

use super::connection::{Connection, Readiness};
use super::desk::{Desk, Ticket};
use crate::log::{Outcome, Tell};
use crate::s3::Rules;
use crate::serve::{Running, Setup};

const EVENTS_MAX: usize = 256;
const STALL_S: u64 = 30;
const LINGER_S: u64 = 2;
/// Of the 2 s that the contract gives for what is in flight.
const STOP_TIME: Duration = Duration::from_millis(1500);
const STOP_STEP: Duration = Duration::from_millis(50);

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const FIRST_SLOT: usize = 2;

pub type Batch = Vec<(Ticket, Outcome)>;

/// What reaches a worker from other threads.
#[derive(Clone)]
pub struct Door {
    waker: Arc<Waker>,
    must_stop: Arc<AtomicBool>,
}

impl Door {
    pub fn new(poll: &Poll) -> io::Result<Self> {
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        Ok(Self { waker, must_stop: Arc::default() })
    }

    /// The way of the log's outcomes to the worker.
    pub fn way_back(&self) -> (Tell<Ticket>, mpsc::Receiver<Batch>) {
        let (sender, outcomes) = mpsc::channel();
        let door = self.clone();
        let tell = move |batch| {
            // A worker that has ended asks no more.
            if sender.send(batch).is_ok() {
                door.knock();
            }
        };
        (Box::new(tell), outcomes)
    }

    /// Without it a worker waits until its next event.
    fn knock(&self) {
        let _ = self.waker.wake();
    }
}

/// Starts a worker for each listener.
pub fn start(setup: Setup) -> io::Result<Running> {
    let (mut polls, mut doors) = (Vec::new(), Vec::new());
    let (mut tells, mut outcomes): (Vec<Tell<Ticket>>, Vec<_>) = (Vec::new(), Vec::new());
    for _ in &setup.listeners {
        let poll = Poll::new()?;
        let door = Door::new(&poll)?;
        let (tell, receiver) = door.way_back();
        tells.push(tell);
        polls.push(poll);
        doors.push(door);
        outcomes.push(receiver);
    }
    let (queues, writer) = setup.log.start(tells)?;
    let mut queues = queues.into_iter();
    let mut workers = Vec::new();
    let parts = setup.listeners.into_iter().zip(polls).zip(outcomes).zip(&doors);
    for (number, (((listener, poll), outcomes), door)) in parts.enumerate() {
        let (shared, log, door) = (setup.shared.clone(), queues.next(), door.clone());
        let builder = thread::Builder::new().name(format!("worker-{number}"));
        workers.push(builder.spawn(move || {
            let desk = Desk::new(poll.registry().try_clone()?, Rules::new(shared, number), log);
            Worker::new(desk, poll, listener, outcomes, door)?.run()
        })?);
    }
    let stop = Box::new(move || {
        for door in &doors {
            door.must_stop.store(true, Ordering::Release);
            door.knock();
        }
    });
    Ok(Running { workers, writer, stop })
}

/// One thread, and its connections by their slots.
pub struct Worker {
    desk: Desk,
    poll: Poll,
    events: Option<Events>,
    listener: TcpListener,
    has_callers: bool,
    outcomes: mpsc::Receiver<Batch>,
    door: Door,
    pub slots: Vec<Option<Box<Connection>>>,
    free_slots: Vec<usize>,
    accepted: u64,
    turns: Vec<usize>,
    spare: Option<File>,
}

impl Worker {
    pub fn new(
        desk: Desk,
        poll: Poll,
        listener: std::net::TcpListener,
        outcomes: mpsc::Receiver<Batch>,
        door: Door,
    ) -> io::Result<Self> {
        let mut listener = TcpListener::from_std(listener);
        poll.registry().register(&mut listener, LISTENER, mio::Interest::READABLE)?;
        Ok(Self {
            desk,
            poll,
            events: Some(Events::with_capacity(EVENTS_MAX)),
            listener,
            has_callers: false,
            outcomes,
            door,
            slots: Vec::new(),
            free_slots: Vec::new(),
            accepted: 0,
            turns: Vec::new(),
            spare: open_spare(),
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut deadline = Instant::now();
        while !self.desk.is_stopping || (self.count() > 0 && Instant::now() < deadline) {
            let was_stopping = self.desk.is_stopping;
            self.turn(self.patience())?;
            if was_stopping {
                self.close_idle(); // one round after the stop: what was on its way has been read
            } else if self.desk.is_stopping {
                deadline = Instant::now() + STOP_TIME;
            }
        }
        Ok(())
    }

    fn count(&self) -> usize {
        self.slots.len() - self.free_slots.len()
    }

    /// How long there is nothing to do unless an event comes.
    fn patience(&self) -> Option<Duration> {
        if self.has_callers || !self.desk.again.is_empty() {
            return Some(Duration::ZERO);
        }
        if self.desk.is_stopping {
            return Some(STOP_STEP);
        }
        (!self.desk.timed.is_empty()).then_some(Duration::from_secs(1))
    }

    /// One round of events.
    pub fn turn(&mut self, patience: Option<Duration>) -> io::Result<()> {
        let Some(mut events) = self.events.take() else { return Ok(()) };
        match self.poll.poll(&mut events, patience) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        self.desk.tick();
        std::mem::swap(&mut self.turns, &mut self.desk.again);
        if self.has_callers {
            self.accept_all();
        }
        for event in &events {
            match event.token() {
                LISTENER => self.accept_all(),
                WAKER => self.on_wake()?,
                Token(token) => self.serve(token - FIRST_SLOT, |connection, desk| {
                    let readiness = Readiness {
                        is_readable: event.is_readable(),
                        is_writable: event.is_writable(),
                        is_closed: event.is_read_closed() || event.is_error(),
                    };
                    connection.on_event(desk, readiness);
                }),
            }
        }
        while let Some(slot) = self.turns.pop() {
            self.serve(slot, Connection::on_turn);
        }
        self.events = Some(events);
        if let Some(log) = &self.desk.log {
            log.bell().ring();
        }
        self.end_silent();
        Ok(())
    }

    /// Lends a connection the desk, and ends it when it is over.
    fn serve(&mut self, slot: usize, work: impl FnOnce(&mut Connection, &mut Desk)) {
        let Some(mut connection) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        work(&mut connection, &mut self.desk);
        if connection.is_over() {
            connection.close(&mut self.desk);
            self.free_slots.push(slot);
        } else {
            self.slots[slot] = Some(connection);
        }
    }

    fn on_wake(&mut self) -> io::Result<()> {
        while let Ok(batch) = self.outcomes.try_recv() {
            for (ticket, outcome) in batch {
                self.serve(ticket.slot, |connection, desk| {
                    if connection.ticket() == ticket {
                        connection.on_outcome(desk, outcome);
                    }
                });
            }
        }
        if self.door.must_stop.load(Ordering::Acquire) && !self.desk.is_stopping {
            self.desk.is_stopping = true;
            self.accept_all(); // whoever is in the backlog has connected and may have asked
            self.desk.registry.deregister(&mut self.listener)?;
            self.has_callers = false;
        }
        Ok(())
    }

    /// Events tell only of new callers: all are taken, a round's worth at a time.
    fn accept_all(&mut self) {
        for _ in 0..EVENTS_MAX {
            match self.listener.accept() {
                Ok((socket, _)) => self.accept(socket),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.has_callers = false;
                    return;
                }
                Err(error) if is_out_of_descriptors(&error) => {
                    if !self.shed() {
                        self.has_callers = false;
                        return;
                    }
                }
                Err(_) => {} // the caller is gone already
            }
        }
        self.has_callers = true;
    }

    fn accept(&mut self, socket: mio::net::TcpStream) {
        if socket.set_nodelay(true).is_ok() {
            self.take_in(socket);
        }
    }

    /// Gives a connection a slot, and watches it.
    pub fn take_in(&mut self, socket: mio::net::TcpStream) {
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.accepted += 1;
        let ticket = Ticket { slot, number: self.accepted };
        let connection = Connection::new(socket, Token(slot + FIRST_SLOT), ticket);
        self.slots[slot] = Some(Box::new(connection));
        self.serve(slot, |connection, desk| {
            if connection.watch(desk).is_err() {
                connection.end();
            }
        });
    }

    /// Out of descriptors: takes the caller in on a spare one and hangs up, or it would wait for
    /// ever. False when nobody waits, which accepting does not tell then.
    fn shed(&mut self) -> bool {
        self.spare = None;
        let was_there = self.listener.accept().is_ok();
        self.spare = open_spare();
        was_there
    }

    /// The list is in the order of last progress, but those that linger have less patience.
    fn end_silent(&mut self) {
        let mut last = None;
        while let Some((slot, since_s)) = self.desk.timed.next(last) {
            let silent_s = self.desk.now_s - since_s;
            if silent_s <= LINGER_S {
                return;
            }
            let is_lingering = self.slots[slot].as_ref().is_some_and(|held| held.is_lingering());
            if is_lingering || silent_s >= STALL_S {
                self.serve(slot, |connection, _| connection.end());
            } else {
                last = Some(slot);
            }
        }
    }

    fn close_idle(&mut self) {
        for slot in 0..self.slots.len() {
            self.serve(slot, |connection, _| {
                if connection.is_idle() {
                    connection.end();
                }
            });
        }
    }
}

fn open_spare() -> Option<File> {
    File::open("/dev/null").ok()
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    let full = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE];
    full.iter().any(|errno| code == Some(errno.raw_os_error()))
}
