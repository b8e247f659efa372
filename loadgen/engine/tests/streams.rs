//! The engine over HTTP/2 against a server that misbehaves by script: each fault is counted under
//! its kind, exactly, and nothing is lost.

#![allow(clippy::unwrap_used)] // helpers outside test functions unwrap as well

mod common;

use common::{plan, run, spawn, Outcome, SHORT_TIMEOUT_NS, SIZE};
use pausemark_engine::body;
use pausemark_engine::h2::frames::{self as f, Head};
use serde_json::{json, Value};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// What the server does with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    Good,
    /// In pieces: a continued head, padding, an interim answer before, a ping between.
    Unusual,
    GoodAndGoAway,
    Refuse,
    Reset,
    Never,
    CloseInside,
    Garbage,
    OtherLength,
    ShortBody,
    WrongByte,
    WrongStatus,
}

/// 200 with content-length 100, as literals.
const HEAD: &[u8] = b"\x88\x0f\x0d\x03100";
const WHOLE: u8 = f::END_HEADERS | f::END_STREAM;

fn serve(script: impl Fn(u64) -> Reply + Copy + Send + 'static) -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = Arc::clone(&counted);
            // An engine that has gone ends the conversation with an error.
            std::thread::spawn(move || drop(converse(stream, &count, script)));
        }
    });
    (port, count)
}

fn converse(
    mut stream: TcpStream,
    count: &AtomicU64,
    script: impl Fn(u64) -> Reply,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut preface = [0; 24];
    stream.read_exact(&mut preface)?;
    assert_eq!(preface, f::PREFACE);
    let mut out = Vec::new();
    f::push(f::SETTINGS, 0, 0, &[], &mut out);
    stream.write_all(&out)?;
    loop {
        let mut head = [0; f::HEAD_BYTES];
        stream.read_exact(&mut head)?;
        let head = Head::parse(head);
        let mut payload = vec![0; head.length];
        stream.read_exact(&mut payload)?;
        if head.kind == f::HEADERS {
            let reply = script(count.fetch_add(1, Ordering::SeqCst));
            let mut out = Vec::new();
            let goes_on = perform(reply, head.stream, object_index(&payload), &mut out);
            stream.write_all(&out)?;
            if !goes_on {
                return Ok(());
            }
        }
    }
}

/// The path is the last literal of a GET; other requests have no index.
fn object_index(block: &[u8]) -> u64 {
    let digits = &block[block.len() - 8..];
    let digits = std::str::from_utf8(digits).ok();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn answer(stream: u32, head: &[u8], body: &[u8], out: &mut Vec<u8>) {
    f::push(f::HEADERS, f::END_HEADERS, stream, head, out);
    f::push(f::DATA, f::END_STREAM, stream, body, out);
}

/// Appends what is to be said; false when the connection ends with it.
fn perform(reply: Reply, stream: u32, index: u64, out: &mut Vec<u8>) -> bool {
    let mut body = vec![0; SIZE];
    body::fill(index, 0, &mut body);
    let go_away = |last: u32, out: &mut Vec<u8>| {
        let payload = [last.to_be_bytes(), [0; 4]].concat();
        f::push(f::GOAWAY, 0, 0, &payload, out);
    };
    match reply {
        Reply::Good => answer(stream, HEAD, &body, out),
        Reply::Unusual => {
            f::push(f::HEADERS, f::END_HEADERS, stream, b"\x48\x03103", out);
            f::push(f::HEADERS, 0, stream, &HEAD[..2], out);
            f::push(f::CONTINUATION, f::END_HEADERS, stream, &HEAD[2..], out);
            f::push(f::PING, 0, 0, &[7; 8], out);
            let padded = [&[3], &body[..50], &[0; 3]].concat();
            f::push(f::DATA, f::PADDED, stream, &padded, out);
            f::push(f::DATA, 0, stream, &body[50..], out);
            f::push(f::HEADERS, WHOLE, stream, b"\x00\x01a\x01b", out); // trailers
        }
        Reply::GoodAndGoAway => {
            answer(stream, HEAD, &body, out);
            go_away(stream, out);
        }
        Reply::Refuse => go_away(stream - 1, out),
        Reply::Reset => f::push(f::RST_STREAM, 0, stream, &[0, 0, 0, 7], out),
        Reply::Never => {}
        Reply::CloseInside => {
            f::push(f::HEADERS, f::END_HEADERS, stream, HEAD, out);
            return false;
        }
        Reply::Garbage => out.extend_from_slice(b"nonsense that is no frame at all"),
        Reply::OtherLength => answer(stream, HEAD, &body[..99], out),
        Reply::ShortBody => answer(stream, b"\x88", &body[..99], out),
        Reply::WrongByte => {
            body[99] ^= 1;
            answer(stream, HEAD, &body, out);
        }
        Reply::WrongStatus => answer(stream, b"\x8e", &body, out),
    }
    true
}

fn h2_plan(port: u16, streams: u32) -> Value {
    let mut plan = plan(port);
    plan["protocol"] = "h2c".into();
    plan["streams"] = streams.into();
    plan
}

/// Every tenth request gets `reply`, one stream at a time.
fn one_in_ten(reply: Reply) -> Outcome {
    let (port, count) = serve(move |n| if n % 10 == 9 { reply } else { Reply::Good });
    let outcome = run(&h2_plan(port, 1));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.totals()["offered"], 400);
    assert_eq!(outcome.totals()["completed"], 400, "{reply:?}");
    assert_eq!(outcome.event("done")["unfinished"], 0);
    assert_eq!(
        count.load(Ordering::SeqCst),
        400,
        "no request is sent twice"
    );
    outcome
}

#[test]
fn each_fault_has_its_kind_and_count() {
    for (reply, kind, lost) in [
        (Reply::Reset, "reset", 0),
        (Reply::Refuse, "reset", 40),
        (Reply::CloseInside, "closed", 40),
        (Reply::Garbage, "parse", 40),
        (Reply::OtherLength, "parse", 0),
        (Reply::ShortBody, "length", 0),
        (Reply::WrongByte, "digest", 0),
        (Reply::WrongStatus, "status", 0),
    ] {
        let outcome = one_in_ten(reply);
        assert_eq!(outcome.totals()["errors"], json!({kind: 40}), "{reply:?}");
        assert_eq!(outcome.totals()["good"], 360);
        assert_eq!(outcome.event("done")["connections_lost"], lost, "{reply:?}");
    }
}

#[test]
fn unusual_but_good_answers_are_good() {
    for (reply, lost) in [(Reply::Unusual, 0), (Reply::GoodAndGoAway, 40)] {
        let outcome = one_in_ten(reply);
        assert_eq!(outcome.totals()["good"], 400, "{reply:?}");
        assert_eq!(outcome.event("done")["connections_lost"], lost, "{reply:?}");
        assert_eq!(outcome.event("done")["digests_checked"], 400);
    }
}

#[test]
fn a_stream_that_is_never_answered_times_out_alone() {
    let (port, _) = serve(|n| if n == 40 { Reply::Never } else { Reply::Good });
    let mut plan = h2_plan(port, 4);
    plan["connections"] = 1.into();
    plan["timeout_ns"] = 2_000_000_000.into();
    let outcome = run(&plan);
    assert_eq!(outcome.totals()["errors"], json!({"timeout": 1}));
    assert_eq!(outcome.totals()["good"], 399);
    assert_eq!(outcome.event("done")["connections_lost"], 0);
    let quantile = |name: &str| outcome.totals()["summary"][name].as_u64().unwrap();
    assert!(quantile("response_ns_max") >= 2_000_000_000);
    assert!(
        quantile("response_ns_p99") < 1_000_000_000,
        "others waited for it"
    );
}

#[test]
fn without_a_free_stream_slots_wait_in_the_backlog() {
    let (port, _) = serve(|n| if n == 40 { Reply::Never } else { Reply::Good });
    let mut plan = h2_plan(port, 1);
    plan["connections"] = 1.into();
    plan["timeout_ns"] = SHORT_TIMEOUT_NS.into();
    let outcome = run(&plan);
    assert_eq!(outcome.totals()["errors"], json!({"timeout": 1}));
    let p99 = outcome.totals()["summary"]["response_ns_p99"].as_u64();
    assert!(
        p99.unwrap() > 250_000_000,
        "time counts from the intended moment"
    );
}

#[test]
fn a_server_of_http_1_is_refused_before_the_start() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        }
    });
    let outcome = run(&h2_plan(port, 4));
    assert_eq!(outcome.code, Some(4));
    assert_eq!(outcome.event("error")["found"], "no settings of HTTP/2");
}

#[test]
fn preload_asks_for_the_bucket_over_http_2_too() {
    let (port, count) = serve(|_| Reply::WrongStatus);
    let outcome = Outcome::of(spawn("preload", &h2_plan(port, 4)));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert_eq!(outcome.event("error")["found"], "status 500");
}
