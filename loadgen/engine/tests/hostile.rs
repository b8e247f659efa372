//! Servers that attack: whatever they send, for however long, the engine ends by itself, counts
//! each request once and under its kind, and keeps nothing of what was sent.

#![allow(clippy::unwrap_used)] // helpers outside test functions unwrap as well

mod common;

use common::attacks::{
    attack, listen, say, short_plan, watch, withstand, Attack, LONG_TIMEOUT_NS, TIME_MAX,
};
use pausemark_engine::h2::frames as f;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

fn over_http_1(attack: &Attack, mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer)? > 0 {
        say(&mut stream, &attack.first, attack)?;
    }
    Ok(())
}

/// Frames of stream 1 are sent as frames of the stream that asked.
fn over_http_2(attack: &Attack, mut stream: TcpStream) -> std::io::Result<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface)?;
    let mut settings = Vec::new();
    f::push(f::SETTINGS, 0, 0, &[], &mut settings);
    stream.write_all(&settings)?;
    loop {
        let mut head = [0; f::HEAD_BYTES];
        stream.read_exact(&mut head)?;
        let head = f::Head::parse(head);
        let mut payload = vec![0; head.length];
        stream.read_exact(&mut payload)?;
        if head.kind == f::HEADERS {
            let mut attack = attack.clone();
            attack.then = on_stream(&attack.then, head.stream);
            let first = on_stream(&attack.first, head.stream);
            say(&mut stream, &first, &attack)?;
        }
    }
}

fn on_stream(frames: &[u8], stream: u32) -> Vec<u8> {
    let (mut out, mut at) = (frames.to_vec(), 0);
    while let Some(head) = frames.get(at..).and_then(|rest| rest.first_chunk()) {
        let head = f::Head::parse(*head);
        if head.stream == 1 {
            out[at + 5..at + 9].copy_from_slice(&stream.to_be_bytes());
        }
        at += f::HEAD_BYTES + head.length;
    }
    out
}

const OK: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn heads_without_end() -> Vec<Attack> {
    vec![
        attack("header lines without end", OK, "A: b\r\n", &["parse"]),
        attack(
            "a header line without end",
            "HTTP/1.1 200 OK\r\nA: ",
            "x",
            &["parse"],
        ),
        attack("empty lines without end", "", "\r\n", &["parse"]),
        attack(
            "interim answers without end",
            "",
            "HTTP/1.1 100 C\r\n\r\n",
            &["parse"],
        ),
        attack("garbage without end", "", "\x00\x01garbage", &["parse"]),
        attack(
            "a folded line",
            &format!("{OK}A: b\r\n c\r\n\r\n"),
            "",
            &["parse"],
        ),
        attack(
            "a NUL in a head",
            &format!("{OK}A: \0\r\n\r\n"),
            "",
            &["parse"],
        ),
        attack(
            "another protocol",
            "HTTP/1.1 101 Switching\r\n\r\n",
            "",
            &["parse"],
        ),
        Attack {
            slowly: true,
            ..attack("a head that trickles", OK, "A", &["timeout"])
        },
        attack("silence", "", "", &["timeout"]),
    ]
}

fn bodies_that_lie() -> Vec<Attack> {
    let length = |text: &str| format!("{OK}Content-Length: {text}\r\n\r\n");
    let twice = format!("{OK}Content-Length: 100\r\nContent-Length: 99\r\n\r\n");
    let both = format!("{OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
    vec![
        attack("a bad chunk", &format!("{CHUNKED}zz\r\n"), "", &["parse"]),
        attack(
            "a chunk longer than it says",
            &format!("{CHUNKED}1\r\nab\r\n"),
            "",
            &["parse"],
        ),
        attack(
            "an extension without end",
            &format!("{CHUNKED}5;"),
            "x",
            &["parse"],
        ),
        attack(
            "trailers without end",
            &format!("{CHUNKED}0\r\n"),
            "T: x\r\n",
            &["parse"],
        ),
        attack(
            "chunks without end",
            CHUNKED,
            "5\r\nhello\r\n",
            &["timeout"],
        ),
        attack(
            "a length beyond 64 bits",
            &length("99999999999999999999"),
            "",
            &["parse"],
        ),
        attack(
            "a length beyond every object",
            &length("5368709121"),
            "",
            &["parse"],
        ),
        attack("5 GiB", &length("5368709120"), "x", &["timeout"]),
        attack(
            "a body without end",
            &format!("{OK}\r\n"),
            "x",
            &["timeout"],
        ),
        attack("two lengths", &twice, "", &["parse"]),
        attack("a length and chunks", &both, "", &["parse"]),
        attack(
            "more than its length",
            &format!("{}hello", length("3")),
            "",
            &["length"],
        ),
    ]
}

#[test]
fn attacks_over_http_1_are_withstood() {
    for attack in heads_without_end().into_iter().chain(bodies_that_lie()) {
        let one = attack.clone();
        let (port, _) = listen(move |stream| drop(over_http_1(&one, stream)));
        withstand(&attack, &short_plan(port));
    }
}

/// Frames in a row.
fn frames(parts: &[(u8, u8, u32, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, flags, stream, payload) in parts {
        f::push(*kind, *flags, *stream, payload, &mut out);
    }
    out
}

type Frame<'a> = (u8, u8, u32, &'a [u8]);

fn h2(
    name: &'static str,
    first: &[Frame],
    then: &[Frame],
    kinds: &'static [&'static str],
) -> Attack {
    Attack {
        name,
        first: frames(first),
        then: frames(then),
        slowly: false,
        kinds,
    }
}

fn floods() -> Vec<Attack> {
    let ends = f::END_HEADERS;
    vec![
        h2("settings", &[], &[(f::SETTINGS, 0, 0, &[])], &["parse"]),
        h2("pings", &[], &[(f::PING, 0, 0, &[0; 8])], &["parse"]),
        h2(
            "resets",
            &[],
            &[(f::RST_STREAM, 0, 1, &[0; 4])],
            &["reset", "timeout"],
        ),
        h2(
            "continuations",
            &[(f::HEADERS, 0, 1, b"\x88")],
            &[(f::CONTINUATION, 0, 1, b"")],
            &["parse"],
        ),
        h2(
            "windows",
            &[],
            &[(f::WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])],
            &["timeout"],
        ),
        h2(
            "wide windows",
            &[],
            &[(f::WINDOW_UPDATE, 0, 0, &[64, 0, 0, 0])],
            &["parse"],
        ),
        h2(
            "priorities",
            &[],
            &[(f::PRIORITY, 0, 1, &[0; 5])],
            &["timeout"],
        ),
        h2(
            "frames of no kind",
            &[],
            &[(99, 255, 7, b"nothing")],
            &["timeout"],
        ),
        h2("goodbyes", &[], &[(f::GOAWAY, 0, 0, &[0; 8])], &["reset"]),
        h2(
            "interim heads",
            &[],
            &[(f::HEADERS, ends, 1, b"\x48\x03103")],
            &["parse", "timeout"],
        ),
        h2(
            "empty data",
            &[(f::HEADERS, ends, 1, b"\x88")],
            &[(f::DATA, 0, 1, b"")],
            &["timeout"],
        ),
    ]
}

fn lies() -> Vec<Attack> {
    let mut bomb = b"\x88\x40\x01a\x7f\xa1\x1e".to_vec(); // a value of 4,000 bytes enters the table
    bomb.extend(vec![b'x'; 4000]);
    bomb.extend(vec![0xbe; 12_000]); // and is named 12,000 times
    let mut long = frames(&[(f::DATA, 0, 1, b"")]);
    long[..3].copy_from_slice(&[255; 3]);
    vec![
        h2(
            "a bomb of HPACK",
            &[(f::HEADERS, f::END_HEADERS, 1, &bomb)],
            &[],
            &["parse"],
        ),
        h2(
            "data before a head",
            &[(f::DATA, 0, 1, b"x")],
            &[],
            &["parse", "timeout"],
        ),
        h2(
            "a promise",
            &[(f::PUSH_PROMISE, 4, 1, &[0, 0, 0, 2])],
            &[],
            &["parse"],
        ),
        h2(
            "an answer nobody asked for",
            &[(f::HEADERS, 5, 9999, b"\x88")],
            &[],
            &["parse"],
        ),
        h2(
            "an index that no table has",
            &[(f::HEADERS, 5, 1, b"\xff\x7f")],
            &[],
            &["parse"],
        ),
        Attack {
            first: long,
            ..h2("a frame of 16 MiB", &[], &[], &["parse"])
        },
    ]
}

#[test]
fn attacks_over_http_2_are_withstood() {
    for attack in floods().into_iter().chain(lies()) {
        let one = attack.clone();
        let (port, _) = listen(move |stream| drop(over_http_2(&one, stream)));
        let mut plan = short_plan(port);
        plan["protocol"] = "h2c".into();
        withstand(&attack, &plan);
    }
}

/// Opened again every 50 ms at most: four connections, twenty times a second.
fn few(accepted: &AtomicU64, took: Duration) {
    let most = 4 * (2 + took.as_millis() / 50);
    let found = accepted.load(Ordering::SeqCst);
    assert!(u128::from(found) <= most, "{found} connections in {took:?}");
}

#[test]
fn a_server_that_speaks_first_or_hangs_up_is_not_stormed() {
    let whole: &'static [u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    for words in [whole, b""] {
        let (port, accepted) = listen(move |mut stream| drop(stream.write_all(words)));
        let (outcome, took, _) = watch(&short_plan(port));
        // Seen before the start it is refused; behind it, every slot is counted.
        assert!(matches!(outcome.code, Some(0 | 4)), "{}", outcome.stderr);
        if outcome.code == Some(0) {
            let (done, totals) = (outcome.event("done"), outcome.totals());
            let ended = totals["completed"].as_u64().unwrap();
            assert_eq!(ended + done["unfinished"].as_u64().unwrap(), 50);
            assert_eq!(totals["good"], 0);
        }
        assert!(took < TIME_MAX);
        few(&accepted, took);
    }
}

#[test]
fn a_server_that_hangs_up_in_the_run_is_not_stormed() {
    let good = Arc::new(AtomicU64::new(0));
    let (port, accepted) = listen(move |mut stream| {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|size| size > 0) {
            if good.fetch_add(1, Ordering::SeqCst) >= 10 {
                return;
            }
            let answer = [
                b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
                &[b'x'; 100][..],
            ];
            drop(stream.write_all(&answer.concat()));
        }
    });
    let mut plan = short_plan(port);
    plan["timeout_ns"] = LONG_TIMEOUT_NS.into();
    plan["scenario"]["check"]["digest_one_in"] = 0.into();
    let (outcome, took, _) = watch(&plan);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.totals()["good"], 10);
    assert_eq!(
        outcome.totals()["errors"]["closed"],
        40,
        "{}",
        outcome.totals()
    );
    few(&accepted, took);
    assert!(
        accepted.load(Ordering::SeqCst) <= 4 + 40,
        "one for each that was lost"
    );
}
