//! The loop against real sockets, on the test's own thread: what it allocates, and what it keeps.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use mio::Poll;
use tokio::sync::oneshot;

use super::desk::{Desk, Ticket};
use super::worker::{Door, Worker};
use crate::allocations;
use crate::listen;
use crate::log::{self, Durability, Queue, Settings, Tell};
use crate::s3::{Rules, Shared};
use crate::store::Store;

/// The first makes the buffers, and the next the object that takes turns with its own.
const WARM_UP_ROUNDS: usize = 3;
/// Of 5 ms each: the first write of a log waits for three syncs, and a busy disk takes its time.
const SILENT_TURNS_MAX: usize = 4000;

/// A worker, its log if it has one, and a client of it.
struct Pair {
    folder: Option<PathBuf>,
    store: Arc<Store>,
    worker: Worker,
    client: TcpStream,
    /// What the client has read.
    read: Vec<u8>,
    allocated: u64,
}

impl Pair {
    fn new() -> Self {
        Self::open(None)
    }

    fn with_log() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pausemark-mio-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self::open(Some(folder))
    }

    fn open(folder: Option<PathBuf>) -> Self {
        let store = Arc::new(Store::new(1 << 30));
        store.create("bucket", SystemTime::now());
        let shared =
            Arc::new(Shared { store: store.clone(), object_bytes_max: 1 << 20, credentials: None });
        let listener = listen::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap().remove(0);
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_nonblocking(true).unwrap();
        let poll = Poll::new().unwrap();
        let door = Door::new(&poll).unwrap();
        let registry = poll.registry().try_clone().unwrap();
        let (tell, outcomes) = door.way_back();
        let log = folder.as_ref().map(|folder| start_log(folder, store.clone(), tell));
        let desk = Desk::new(registry, Rules::new(shared, 0), log);
        let worker = Worker::new(desk, poll, listener, outcomes, door).unwrap();
        Self { folder, store, worker, client, read: Vec::with_capacity(16 << 20), allocated: 0 }
    }

    fn turn(&mut self) {
        let before = allocations::count();
        self.worker.turn(Some(Duration::from_millis(5))).unwrap();
        self.allocated += allocations::count() - before;
    }

    /// Sends what the socket takes while the worker has its turns.
    fn send(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            match self.client.write(data) {
                Ok(count) => data = &data[count..],
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            self.turn();
        }
    }

    /// Reads until so many bytes have come in all.
    fn receive(&mut self, bytes: usize) {
        let mut silent_turns = 0;
        let mut data = [0; 1 << 14];
        while self.read.len() < bytes && silent_turns < SILENT_TURNS_MAX {
            self.turn();
            silent_turns += 1;
            match self.client.read(&mut data) {
                Ok(0) => panic!("the connection ended"),
                Ok(count) => {
                    self.read.extend_from_slice(&data[..count]);
                    silent_turns = 0;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        let seen = &self.read[..self.read.len().min(400)];
        assert_eq!(self.read.len(), bytes, "{}", String::from_utf8_lossy(seen));
    }

    /// How often the worker allocated for one of these requests, whose answers are alike.
    fn cost(&mut self, parts: &[&[u8]], answer_bytes: usize) -> u64 {
        let mut costs = (0..WARM_UP_ROUNDS + 3).map(|_| {
            self.read.clear();
            self.allocated = 0;
            for part in parts {
                self.send(part);
            }
            self.receive(answer_bytes);
            self.allocated
        });
        let _ = costs.nth(WARM_UP_ROUNDS - 1);
        let again: Vec<_> = costs.collect();
        assert!(again.windows(2).all(|pair| pair[0] == pair[1]), "{again:?}");
        again[0]
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

fn start_log(folder: &Path, store: Arc<Store>, tell: Tell<Ticket>) -> Queue<Ticket> {
    let settings = Settings {
        durability: Durability::Buffered,
        directory: folder.to_path_buf(),
        sync_interval: Duration::from_millis(100),
        segment_bytes: 1 << 20,
        log_bytes_max: 1 << 24,
    };
    let recovered = log::recover(&settings, |_| Ok(())).unwrap();
    let (failed, _) = oneshot::channel();
    log::start(settings, recovered, store, vec![tell], failed).unwrap().queues.remove(0)
}

fn put(key: &str, bytes: usize) -> Vec<u8> {
    let head = format!("PUT /bucket/{key} HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n");
    [head.as_bytes(), &vec![b'x'; bytes]].concat()
}

fn get(key: &str) -> Vec<u8> {
    format!("GET /bucket/{key} HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\n\r\n").into_bytes()
}

/// Status line, headers and the empty line.
const PUT_ANSWER_BYTES: usize = 172;
const GET_HEAD_BYTES: usize = 278;
/// All of a 404 for `/bucket/none`.
const FAILURE_BYTES: usize = 359;

#[test]
fn a_get_allocates_nothing_and_a_put_that_replaces_neither() {
    let mut pair = Pair::new();
    let whole = put("small", 1024);
    assert_eq!(pair.cost(&[&whole], PUT_ANSWER_BYTES), 0);
    let (head, body) = whole.split_at(whole.len() - 1024);
    let halves = [head, &body[..500], &body[500..]];
    assert_eq!(pair.cost(&halves, PUT_ANSWER_BYTES), 0);
    assert_eq!(pair.cost(&[&get("small")], GET_HEAD_BYTES + 1024), 0);
    let described = b"PUT /bucket/small HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\
        Content-Type: a/b\r\nx-amz-meta-a: 1\r\nx-amz-checksum-crc32: y/Q5Jg==\r\n\r\n123456789";
    assert_eq!(pair.cost(&[described], PUT_ANSWER_BYTES + 32), 0);
    assert_eq!(pair.cost(&[&whole], PUT_ANSWER_BYTES), 0);
    let pipelined = get("small").repeat(10);
    assert_eq!(pair.cost(&[&pipelined], 10 * (GET_HEAD_BYTES + 1024)), 0);
    let large = 100_000;
    assert_eq!(pair.cost(&[&put("large", large)], PUT_ANSWER_BYTES), 0);
    assert_eq!(pair.cost(&[&get("large")], GET_HEAD_BYTES + 2 + large), 0);
}

#[test]
fn a_client_that_reads_late_gets_everything_and_nothing_is_kept_afterwards() {
    let mut pair = Pair::new();
    let (bytes, count) = (100_000, 100);
    pair.send(&put("large", bytes));
    pair.receive(PUT_ANSWER_BYTES);
    pair.read.clear();
    let mut requests = get("large").repeat(count);
    requests.extend_from_slice(&put("large", 10));
    pair.send(&requests);
    for _ in 0..20 {
        pair.turn(); // the socket takes no more
    }
    pair.receive(count * (GET_HEAD_BYTES + 2 + bytes) + PUT_ANSWER_BYTES);
    pair.turn();
    let connection = pair.worker.slots[0].as_ref().unwrap();
    assert!(connection.is_idle() && connection.held_bytes() == 0);
}

#[test]
fn requests_behind_a_write_wait_for_the_log_and_keep_their_order() {
    let mut pair = Pair::with_log();
    let rounds = 20;
    let round = [put("small", 1024), get("small"), get("none")].concat();
    pair.send(&round.repeat(rounds));
    let round_bytes = PUT_ANSWER_BYTES + GET_HEAD_BYTES + 1024 + FAILURE_BYTES;
    pair.receive(rounds * round_bytes);
    let read = String::from_utf8_lossy(&pair.read);
    let answers = read.match_indices("HTTP/1.1 ");
    let statuses: Vec<_> = answers.map(|(at, begin)| &read[at + begin.len()..][..3]).collect();
    assert_eq!(statuses, ["200", "200", "404"].repeat(rounds));
}

#[test]
fn a_client_that_hangs_up_does_not_take_back_its_write() {
    let mut pair = Pair::with_log();
    pair.client.write_all(&put("small", 1024)).unwrap();
    pair.client.shutdown(std::net::Shutdown::Both).unwrap();
    let bucket = pair.store.bucket("bucket").unwrap();
    for _ in 0..SILENT_TURNS_MAX {
        pair.turn();
        if bucket.get("small").is_some() && pair.worker.slots[0].is_none() {
            return;
        }
    }
    panic!("the write is lost, or its connection stays");
}

#[test]
fn a_connection_that_ends_frees_its_slot() {
    let mut pair = Pair::new();
    pair.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    pair.turn();
    assert!(pair.worker.slots[0].as_ref().unwrap().is_lingering());
    pair.client.shutdown(std::net::Shutdown::Both).unwrap();
    pair.turn();
    assert!(pair.worker.slots[0].is_none());
}
