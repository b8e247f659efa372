//! What the tests share: a server that misbehaves by script, and the engine run on a plan.

#![allow(dead_code)] // each test file is a crate of its own and uses a part
#![allow(clippy::unwrap_used)] // a test helper: clippy's leave for tests does not reach it

pub mod attacks;

use pausemark_engine::body;
use rustix::net::sockopt::set_socket_linger;
use serde_json::{json, Value};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

pub const ENGINE: &str = env!("CARGO_BIN_EXE_pausemark-engine");
pub const SIZE: usize = 100;
/// Of tests in which a server does not answer; else the machine may stop anyone for a second.
pub const SHORT_TIMEOUT_NS: u64 = 300_000_000;

/// What the server does with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Good,
    Reset,
    CloseAtOnce,
    CloseInside,
    CloseAfter,
    ShortBody,
    WrongByte,
    WrongStatus,
    Garbage,
    Never,
    Chunked,
    UntilClose,
    Interim,
    ByteByByte,
    TwoAnswers,
}

/// A server whose n-th request gets `script(n)`.
pub struct Server {
    pub port: u16,
    pub requests: Arc<AtomicU64>,
    pub open_most: Arc<AtomicI64>,
}

impl Server {
    pub fn start(script: impl Fn(u64) -> Reply + Copy + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, open_most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicI64::new(0)));
        let (count, most) = (Arc::clone(&requests), Arc::clone(&open_most));
        let open = Arc::new(AtomicI64::new(0));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (count, open) = (Arc::clone(&count), Arc::clone(&open));
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    converse(stream, &count, &open, script);
                });
            }
        });
        Self {
            port,
            requests,
            open_most,
        }
    }
}

fn converse(
    mut stream: TcpStream,
    count: &AtomicU64,
    open: &AtomicI64,
    script: impl Fn(u64) -> Reply,
) {
    stream.set_nodelay(true).unwrap();
    let mut held = Vec::new();
    let mut buffer = vec![0; 65536];
    'connection: loop {
        let size = stream.read(&mut buffer).unwrap_or(0);
        held.extend_from_slice(&buffer[..size]);
        if size == 0 {
            break;
        }
        while let Some(taken) = request_bytes(&held) {
            let index = object_index(&held);
            held.drain(..taken);
            let reply = script(count.fetch_add(1, Ordering::SeqCst));
            // Counted as closed before it is: the engine may be back faster than this thread.
            let closes = !matches!(
                reply,
                Reply::Good
                    | Reply::ShortBody
                    | Reply::WrongByte
                    | Reply::WrongStatus
                    | Reply::Never
                    | Reply::Chunked
                    | Reply::Interim
                    | Reply::ByteByByte
            );
            if closes {
                open.fetch_sub(1, Ordering::SeqCst);
            }
            perform(&mut stream, reply, index);
            if closes {
                if matches!(reply, Reply::Garbage | Reply::TwoAnswers) {
                    drop(stream.read(&mut buffer)); // the engine closes
                }
                return;
            }
            if reply == Reply::Never {
                break 'connection;
            }
        }
    }
    // Until the engine gives up.
    while stream.read(&mut buffer).is_ok_and(|size| size > 0) {}
    open.fetch_sub(1, Ordering::SeqCst);
}

/// The length of the whole request at the start of `held`.
fn request_bytes(held: &[u8]) -> Option<usize> {
    let end = held.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&held[..end]).unwrap();
    let field = text
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let body: usize = field.map_or(0, |digits| digits.trim().parse().unwrap());
    (held.len() >= end + body).then_some(end + body)
}

fn object_index(held: &[u8]) -> u64 {
    let line = held.split(|byte| *byte == b'\r').next().unwrap();
    let line = std::str::from_utf8(line).unwrap();
    let digits = line
        .split("object-")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    digits.map_or(0, |digits| digits.parse().unwrap())
}

fn perform(stream: &mut TcpStream, reply: Reply, index: u64) {
    let mut body = vec![0; SIZE];
    body::fill(index, 0, &mut body);
    let mut head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
    let (chunk, rest) = body.split_at(33);
    match reply {
        Reply::Good | Reply::CloseAtOnce | Reply::Never | Reply::ByteByByte | Reply::TwoAnswers => {
        }
        Reply::Reset => set_socket_linger(&*stream, Some(Duration::ZERO)).unwrap(),
        Reply::CloseInside => body.truncate(50),
        Reply::CloseAfter => head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1),
        Reply::ShortBody => {
            body.truncate(99);
            head = head.replace("100", "99");
        }
        Reply::WrongByte => body[99] ^= 1,
        Reply::WrongStatus => head = head.replace("200 OK", "503 Slow"),
        Reply::Garbage => head = "nonsense\r\n\r\n".into(),
        Reply::Chunked => {
            head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".into();
            body = [
                b"21\r\n",
                chunk,
                b"\r\n43;x=y\r\n",
                rest,
                b"\r\n0\r\nT: 1\r\n\r\n",
            ]
            .concat();
        }
        Reply::UntilClose => head = "HTTP/1.1 200 OK\r\n\r\n".into(),
        Reply::Interim => head = format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{head}"),
    }
    let whole = [head.as_bytes(), &body].concat();
    // What the engine has closed meanwhile is the test's matter, not this thread's.
    match reply {
        Reply::Reset | Reply::CloseAtOnce | Reply::Never => {}
        Reply::ByteByByte => whole.chunks(7).for_each(|piece| {
            drop(stream.write_all(piece));
            std::thread::sleep(Duration::from_micros(100));
        }),
        Reply::TwoAnswers => drop(stream.write_all(&[&whole[..], &whole].concat())),
        _ => drop(stream.write_all(&whole)),
    }
}

/// A plan of one second against `port`; each object is compared.
pub fn plan(port: u16) -> Value {
    json!({"schema": 1, "target": {"address": "127.0.0.1", "port": port},
        "scenario": {"schema": 1, "name": "test",
            "objects": {"bucket": "bench", "count": 50, "size_bytes": SIZE,
                "key": "object-{index:08d}"},
            "operations": [{"name": "get", "weight": 1, "status": 200}],
            "check": {"digest_one_in": 1}},
        "rate_rps": 400.0, "warmup_s": 0.0, "duration_s": 1.0, "connections": 4, "threads": 1,
        "seed": 1, "timeout_ns": 5_000_000_000_u64, "protocol": "h1", "pipeline": 1})
}

/// Starts the engine with the plan on its stdin.
pub fn spawn(verb: &str, plan: &Value) -> Child {
    let mut engine = Command::new(ENGINE);
    engine.arg(verb);
    feed(engine, plan)
}

/// Starts a command that reads the plan from its stdin.
pub fn feed(mut command: Command, plan: &Value) -> Child {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(plan.to_string().as_bytes())
        .unwrap();
    child
}

/// What came out: events, stderr, exit code.
pub struct Outcome {
    pub events: Vec<Value>,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Outcome {
    pub fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        Self {
            events: text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    pub fn event(&self, name: &str) -> &Value {
        let found = self.events.iter().rfind(|event| event["event"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {:?} {}", self.events, self.stderr))
    }

    pub fn totals(&self) -> &Value {
        &self.event("done")["totals"]
    }
}

pub fn run(plan: &Value) -> Outcome {
    Outcome::of(spawn("run", plan))
}

/// A freeze server of this workspace, ended with the test.
pub struct Freeze {
    pub process: Child,
    pub port: u16,
}

impl Freeze {
    /// Asks it to end, so that its log is whole.
    pub fn end(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        // It may have ended already.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        drop(self.process.wait());
    }
}

impl Drop for Freeze {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Starts the freeze server, built if need be: cargo builds only the tested package's own programs.
pub fn freeze(freeze_us: u64, log: Option<&std::path::Path>) -> Freeze {
    static BUILT: std::sync::Once = std::sync::Once::new();
    let engine = std::path::Path::new(env!("CARGO_BIN_EXE_pausemark-engine"));
    let folder = engine.parent().unwrap();
    BUILT.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "pausemark-freeze",
        ]);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        cargo.arg("--target-dir").arg(folder.parent().unwrap());
        assert!(cargo
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap()
            .success());
    });
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut command = Command::new(folder.join("pausemark-freeze"));
    command.args([
        "--port",
        &port.to_string(),
        "--freeze-us",
        &freeze_us.to_string(),
    ]);
    if let Some(log) = log {
        command.arg("--log").arg(log);
    }
    let mut process = command.stdin(Stdio::null()).spawn().unwrap();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = process.try_wait().unwrap();
        assert!(ended.is_none(), "the freeze server ended: {ended:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    Freeze { process, port }
}
