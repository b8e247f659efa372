//! What attacks on the engine have in common: a server that says an attack's words, and what the
//! engine must come out with.

use super::{plan, spawn, Outcome};
use serde_json::Value;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Its own buffers, histograms and records; an attack that is kept would be far more.
const MEMORY_KIB_MAX: u64 = 96 << 10;
/// Half a second of schedule, a timeout, and a machine that others use as well.
pub const TIME_MAX: Duration = Duration::from_secs(20);
/// Where no timeout is wanted: the machine may stop anyone for some hundred milliseconds.
pub const LONG_TIMEOUT_NS: u64 = 5_000_000_000;
/// What an attack goes on with is written in pieces of about this size.
const PIECE_BYTES: usize = 64 << 10;
const TRICKLE: Duration = Duration::from_millis(20);

/// What a server says to each request.
#[derive(Clone)]
pub struct Attack {
    pub name: &'static str,
    pub first: Vec<u8>,
    /// Repeated until the engine hangs up; empty: silence.
    pub then: Vec<u8>,
    pub slowly: bool,
    /// How requests may end; the first must occur.
    pub kinds: &'static [&'static str],
}

pub fn attack(
    name: &'static str,
    first: &str,
    then: &str,
    kinds: &'static [&'static str],
) -> Attack {
    Attack {
        name,
        first: first.as_bytes().to_vec(),
        then: then.as_bytes().to_vec(),
        slowly: false,
        kinds,
    }
}

/// Accepts for ever; the number of connections so far.
pub fn listen(talk: impl Fn(TcpStream) + Clone + Send + 'static) -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepted = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&accepted);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let talk = talk.clone();
            std::thread::spawn(move || talk(stream));
        }
    });
    (port, accepted)
}

/// Says the attack's words until the engine has hung up.
pub fn say(stream: &mut TcpStream, first: &[u8], attack: &Attack) -> std::io::Result<()> {
    stream.write_all(first)?;
    if attack.then.is_empty() {
        std::io::copy(stream, &mut std::io::sink())?;
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let times = if attack.slowly {
        1
    } else {
        PIECE_BYTES.div_ceil(attack.then.len())
    };
    let piece = attack.then.repeat(times);
    loop {
        stream.write_all(&piece)?;
        if attack.slowly {
            std::thread::sleep(TRICKLE);
        }
    }
}

/// 50 requests in half a second, each given up after 200 ms.
pub fn short_plan(port: u16) -> Value {
    let mut plan = plan(port);
    plan["rate_rps"] = 100.into();
    plan["duration_s"] = 0.5.into();
    plan["timeout_ns"] = 200_000_000.into();
    plan
}

/// The outcome, how long it took, and the engine's most memory in KiB.
pub fn watch(plan: &Value) -> (Outcome, Duration, u64) {
    let begun = Instant::now();
    let child = spawn("run", plan);
    let status = format!("/proc/{}/status", child.id());
    let watcher = std::thread::spawn(move || {
        let mut most = 0;
        while let Ok(text) = std::fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(line) = line else { break }; // it has ended
            let digits = line.trim().trim_end_matches(" kB");
            most = most.max(digits.parse().unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
        most
    });
    let outcome = Outcome::of(child);
    (outcome, begun.elapsed(), watcher.join().unwrap())
}

pub fn withstand(attack: &Attack, plan: &Value) {
    let (name, mut plan) = (attack.name, plan.clone());
    if !attack.kinds.contains(&"timeout") {
        plan["timeout_ns"] = LONG_TIMEOUT_NS.into();
    }
    let (outcome, took, memory_kib) = watch(&plan);
    assert_eq!(outcome.code, Some(0), "{name}: {}", outcome.stderr);
    let (done, totals) = (outcome.event("done"), outcome.totals());
    let number = |value: &Value| value.as_u64().unwrap();
    let ended = number(&totals["completed"]) + number(&done["unfinished"]);
    assert_eq!(
        (number(&totals["offered"]), ended),
        (50, 50),
        "{name}: a slot is lost"
    );
    let errors = totals["errors"].as_object().unwrap();
    assert!(errors.contains_key(attack.kinds[0]), "{name}: {errors:?}");
    let known = |kind: &String| attack.kinds.contains(&kind.as_str());
    assert!(errors.keys().all(known), "{name}: {errors:?}");
    let failed: u64 = errors.values().map(number).sum();
    assert_eq!(number(&totals["good"]), 0, "{name}: it was fooled");
    assert_eq!(number(&totals["completed"]), failed, "{name}");
    assert!(took < TIME_MAX, "{name}: {took:?}");
    assert!(
        memory_kib > 0 && memory_kib < MEMORY_KIB_MAX,
        "{name}: {memory_kib} KiB"
    );
}
