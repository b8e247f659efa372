//! What any bytes do to a connection of the mio stack: parser, rules and answers, in process.
#![no_main]

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use mio::Poll;
use pausemark_rust_fuzz::on_mio::{Desk, Door, Worker};
use pausemark_rust_fuzz::s3::{Rules, Shared};
use pausemark_rust_fuzz::store::Store;
use tokio::signal::unix::{SignalKind, signal};

const OBJECT_BYTES_MAX: u64 = 1 << 20;
const STORE_BYTES_MAX: u64 = 16 << 20;
/// More than a connection needs that reads and answers a piece of an input.
const TURNS_MAX: usize = 1000;
/// How many pieces an input arrives in.
const PIECES: usize = 3;

thread_local! {
    static WORKER: RefCell<Worker> = RefCell::new(worker());
}

/// One that serves every input: what earlier ones left is there too.
fn worker() -> Worker {
    ignore_broken_pipes();
    let store = Arc::new(Store::new(STORE_BYTES_MAX));
    store.create("bucket", SystemTime::now());
    let shared = Shared { store, object_bytes_max: OBJECT_BYTES_MAX, credentials: None };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let poll = Poll::new().unwrap();
    let door = Door::new(&poll).unwrap();
    let (_, outcomes) = door.way_back();
    let registry = poll.registry().try_clone().unwrap();
    let desk = Desk::new(registry, Rules::new(Arc::new(shared), 0), None);
    Worker::new(desk, poll, listener, outcomes, door).unwrap()
}

/// As the standard library's start of a program does, which libFuzzer's main is not.
fn ignore_broken_pipes() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    drop(signal(SignalKind::pipe()).unwrap());
}

/// A client whose socket is no network's, and the end that the worker holds.
fn pair() -> (TcpStream, TcpStream) {
    let (client, server) = UnixStream::pair().unwrap();
    client.set_nonblocking(true).unwrap();
    server.set_nonblocking(true).unwrap();
    (OwnedFd::from(client).into(), OwnedFd::from(server).into())
}

/// Sends all of it unless the worker has ended the connection, and reads what comes.
fn send(worker: &mut Worker, client: &mut TcpStream, mut piece: &[u8]) {
    for _ in 0..TURNS_MAX {
        match client.write(piece) {
            Ok(count) => piece = &piece[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
        worker.turn(Some(Duration::ZERO)).unwrap();
        if !has_read(client) && piece.is_empty() {
            return;
        }
    }
    panic!("the worker answers without end, or takes nothing");
}

fn has_read(client: &mut TcpStream) -> bool {
    let mut answer = [0; 1 << 16];
    matches!(client.read(&mut answer), Ok(count) if count > 0)
}

// Its first two bytes say where an input is cut: what arrives in pieces is another path.
fuzz_target!(|data: &[u8]| {
    let Some((cuts, input)) = data.split_first_chunk::<{ PIECES - 1 }>() else { return };
    let mut cuts = cuts.map(|cut| input.len() * usize::from(cut) / 255);
    cuts.sort_unstable();
    WORKER.with_borrow_mut(|worker| {
        let (mut client, server) = pair();
        worker.take_in(mio::net::TcpStream::from_std(server));
        let (first, rest) = input.split_at(cuts[0]);
        let (second, third) = rest.split_at(cuts[1] - cuts[0]);
        for piece in [first, second, third] {
            send(worker, &mut client, piece);
        }
        let _ = client.shutdown(Shutdown::Both);
        for _ in 0..TURNS_MAX {
            if worker.slots.iter().all(Option::is_none) {
                return;
            }
            worker.turn(Some(Duration::ZERO)).unwrap();
        }
        panic!("a connection outlives its client");
    });
});
