//! One thread, epoll, keep-alive: every request gets the same answer, unless a freeze is on.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use rustix::event::{epoll, Timespec};
use rustix::time::{clock_gettime, ClockId};

use crate::options::Options;
use crate::timeline::Timeline;

const LISTENER: u64 = u64::MAX;
const HEAD_BYTES_MAX: usize = 16 * 1024;
const EVENTS_MAX: usize = 256;
/// How long it may sleep without looking whether it was asked to end.
const WAIT_NS_MAX: u64 = 200_000_000;

struct Connection {
    stream: TcpStream,
    /// What came and is not yet a whole request.
    head: Vec<u8>,
}

fn now_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    // both fields of a clock that counts from boot are positive
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

fn sleep_until_ns(end_ns: u64) {
    loop {
        let now = now_ns(ClockId::Monotonic);
        if now >= end_ns {
            return;
        }
        std::thread::sleep(std::time::Duration::from_nanos(end_ns - now));
    }
}

fn answer(body_bytes: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: pausemark-freeze\r\nContent-Length: {body_bytes}\r\n\r\n"
    );
    let mut answer = head.into_bytes();
    answer.resize(answer.len() + body_bytes, b'x');
    answer
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
    let listener = TcpListener::bind((options.address.as_str(), options.port))?;
    listener.set_nonblocking(true)?;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(
        &poll,
        &listener,
        epoll::EventData::new_u64(LISTENER),
        epoll::EventFlags::IN,
    )?;
    let answer = answer(options.body_bytes);
    let mut timeline = Timeline::new(options.freeze, options.every);
    let mut connections: HashMap<u64, Connection> = HashMap::new();
    let mut events = Vec::with_capacity(EVENTS_MAX);
    while !over.load(Ordering::Relaxed) {
        let now = now_ns(ClockId::Monotonic);
        if let Some(length) = timeline.due_ns(now) {
            sleep_until_ns(now + length);
            timeline.froze(now, now_ns(ClockId::Monotonic));
        }
        let now = now_ns(ClockId::Monotonic);
        wait(&poll, &mut events, timeline.until_next_ns(now))?;
        for event in events.drain(..) {
            let token = event.data.u64();
            if token == LISTENER {
                accept(&listener, &poll, &mut connections)?;
            } else if let Some(connection) = connections.get_mut(&token) {
                if !turn(connection, &answer, &mut timeline) {
                    connections.remove(&token);
                }
            }
        }
    }
    match &options.log {
        Some(log) => timeline.write(log, now_ns(ClockId::ProcessCPUTime)),
        None => Ok(()),
    }
}

fn wait(
    poll: &impl std::os::fd::AsFd,
    events: &mut Vec<epoll::Event>,
    limit_ns: Option<u64>,
) -> std::io::Result<()> {
    let wait_ns = limit_ns.unwrap_or(WAIT_NS_MAX).min(WAIT_NS_MAX);
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: i64::try_from(wait_ns).unwrap_or(0),
    };
    events.clear();
    match epoll::wait(poll, rustix::buffer::spare_capacity(events), Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn accept(
    listener: &TcpListener,
    poll: &impl std::os::fd::AsFd,
    connections: &mut HashMap<u64, Connection>,
) -> std::io::Result<()> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let token = u64::try_from(stream.as_raw_fd()).unwrap_or(0);
                let data = epoll::EventData::new_u64(token);
                epoll::add(poll, &stream, data, epoll::EventFlags::IN)?;
                let head = Vec::with_capacity(HEAD_BYTES_MAX);
                connections.insert(token, Connection { stream, head });
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads what is there and answers every whole request; false: the connection is over.
fn turn(connection: &mut Connection, answer: &[u8], timeline: &mut Timeline) -> bool {
    let mut buffer = [0_u8; 4096];
    match connection.stream.read(&mut buffer) {
        Ok(0) => return false,
        Ok(count) => connection.head.extend_from_slice(&buffer[..count]),
        Err(error) => return error.kind() == ErrorKind::WouldBlock,
    }
    while let Some(end) = memchr::memmem::find(&connection.head, b"\r\n\r\n") {
        connection.head.drain(..end + 4);
        if connection.stream.write_all(answer).is_err() {
            return false;
        }
        timeline.served(now_ns(ClockId::Monotonic));
    }
    connection.head.len() < HEAD_BYTES_MAX
}
