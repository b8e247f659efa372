//! Responders of FastCGI that attack: as in `hostile.rs`, whatever they send, the engine ends by
//! itself and counts each request once; and one that misbehaves now and then costs no other.

#![allow(clippy::unwrap_used)] // helpers outside test functions unwrap as well

mod common;

use common::attacks::{listen, say, short_plan, watch, withstand, Attack, LONG_TIMEOUT_NS};
use pausemark_engine::body;
use pausemark_engine::fcgi::records::{self as r, Head};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// What `short_plan` asks for.
const SIZE: usize = 100;

/// Reads requests for ever; `answer` gets each one's id and its object's number.
fn converse(
    mut stream: TcpStream,
    mut answer: impl FnMut(&mut TcpStream, u16, u64) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut params = Vec::new();
    loop {
        let mut head = [0; r::HEAD_BYTES];
        stream.read_exact(&mut head)?;
        let head = Head::parse(head).unwrap();
        let mut content = vec![0; usize::from(head.length) + usize::from(head.padding)];
        stream.read_exact(&mut content)?;
        match head.kind {
            r::PARAMS => params.append(&mut content),
            r::STDIN if head.length == 0 => {
                let text = String::from_utf8(std::mem::take(&mut params)).unwrap();
                let digits = text.split("object-").nth(1).unwrap().get(..8).unwrap();
                answer(&mut stream, head.id, digits.parse().unwrap())?;
            }
            _ => {}
        }
    }
}

/// Records of one request as those of another.
fn of_request(records: &[u8], id: u16) -> Vec<u8> {
    let (mut out, mut at) = (records.to_vec(), 0);
    while let Some(head) = records.get(at..).and_then(|rest| rest.first_chunk()) {
        let Some(head) = Head::parse(*head) else {
            break;
        };
        if head.id == 1 {
            out[at + 2..at + 4].copy_from_slice(&id.to_be_bytes());
        }
        at += r::HEAD_BYTES + usize::from(head.length) + usize::from(head.padding);
    }
    out
}

fn record(kind: u8, id: u16, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let length = content.len().try_into().unwrap();
    let head = Head {
        kind,
        id,
        length,
        padding: 0,
    };
    head.push(&mut out);
    out.extend_from_slice(content);
    out
}

fn end(status: u8) -> Vec<u8> {
    record(r::END_REQUEST, 1, &[0, 0, 0, 0, status, 0, 0, 0])
}

fn attack(
    name: &'static str,
    first: &[Vec<u8>],
    then: &[Vec<u8>],
    kinds: &'static [&'static str],
) -> Attack {
    Attack {
        name,
        first: first.concat(),
        then: then.concat(),
        slowly: false,
        kinds,
    }
}

const HEAD: &[u8] = b"Status: 200 OK\r\nContent-Length: 100\r\n\r\n";

fn floods() -> Vec<Attack> {
    let out = |content: &[u8]| record(r::STDOUT, 1, content);
    let lengthless = out(b"Status: 200 OK\r\n\r\n");
    vec![
        attack("stderr", &[], &[record(r::STDERR, 1, b"why?")], &["parse"]),
        attack(
            "ends of stderr",
            &[],
            &[record(r::STDERR, 1, b"")],
            &["parse"],
        ),
        attack("ends of stdout", &[], &[out(b"")], &["parse"]),
        attack("header lines", &[], &[out(b"A: b\r\n")], &["parse"]),
        attack("a header line", &[out(b"A: ")], &[out(b"x")], &["parse"]),
        attack("ends", &[], &[end(2)], &["reset", "parse"]),
        attack("a body", &[lengthless], &[out(&[b'x'; 9000])], &["timeout"]),
        attack("zeros", &[], &[vec![0; 64]], &["parse"]),
        Attack {
            slowly: true,
            ..attack("a trickle", &[], &[out(b"A")], &["timeout"])
        },
        attack("silence", &[], &[], &["timeout"]),
    ]
}

fn lies() -> Vec<Attack> {
    let out = |content: &[u8]| record(r::STDOUT, 1, content);
    let mut long = out(b"Status: 200 OK\r\n\r\n");
    (long[4], long[5]) = (0xff, 0xff);
    let mut padded = out(&[HEAD, &[b'x'; SIZE]].concat());
    padded[6] = 255;
    vec![
        attack(
            "a record longer than the stream",
            &[long],
            &[],
            &["timeout"],
        ),
        attack("padding that never comes", &[padded], &[], &["timeout"]),
        attack(
            "another request",
            &[record(r::STDOUT, 999, HEAD)],
            &[],
            &["parse"],
        ),
        attack("no request", &[record(r::STDOUT, 0, HEAD)], &[], &["parse"]),
        attack(
            "a record of ours",
            &[record(r::PARAMS, 1, b"")],
            &[],
            &["parse"],
        ),
        attack(
            "an end of no length",
            &[record(r::END_REQUEST, 1, b"")],
            &[],
            &["parse"],
        ),
        attack("an end without a head", &[end(0)], &[], &["parse"]),
        attack(
            "an end inside a head",
            &[out(b"Status: 200\r\n"), end(0)],
            &[],
            &["parse"],
        ),
        attack(
            "an end inside a body",
            &[out(HEAD), out(b"x"), end(0)],
            &[],
            &["parse"],
        ),
        attack("an overloaded responder", &[end(2)], &[], &["reset"]),
        attack("an unknown reason", &[end(9)], &[], &["parse"]),
        attack(
            "HTTP",
            &[b"HTTP/1.1 200 OK\r\n\r\n".to_vec()],
            &[],
            &["parse"],
        ),
        attack(
            "a wrong body",
            &[out(HEAD), out(&[b'x'; SIZE]), end(0)],
            &[],
            &["digest"],
        ),
        attack(
            "a failure",
            &[out(b"Status: 503 Busy\r\n\r\n"), end(0)],
            &[],
            &["status"],
        ),
    ]
}

#[test]
fn attacks_over_fastcgi_are_withstood() {
    for attack in floods().into_iter().chain(lies()) {
        let one = attack.clone();
        let (port, _) = listen(move |stream| {
            drop(converse(stream, |stream, id, _| {
                let mut now = one.clone();
                now.then = of_request(&one.then, id);
                // An answer that is whole is one of many on its connection.
                if now.then.is_empty() && now.first.ends_with(&[0, 0, 0]) {
                    return stream.write_all(&of_request(&one.first, id));
                }
                say(stream, &of_request(&one.first, id), &now)
            }));
        });
        let mut plan = short_plan(port);
        plan["protocol"] = "fastcgi".into();
        withstand(&attack, &plan);
    }
}

/// A whole answer with the object's bytes.
fn good(id: u16, index: u64) -> Vec<u8> {
    let mut content = vec![0; SIZE];
    body::fill(index, 0, &mut content);
    let answer = [HEAD, &content].concat();
    let (one, two) = answer.split_at(60);
    let records = [
        record(r::STDERR, 1, b"so far"),
        record(r::STDOUT, 1, one),
        record(r::STDOUT, 1, two),
        record(r::STDOUT, 1, b""),
        end(0),
    ];
    of_request(&records.concat(), id)
}

#[test]
fn what_one_request_meets_is_no_matter_of_the_next() {
    let count = Arc::new(AtomicU64::new(0));
    let (port, _) = listen(move |stream| {
        let count = Arc::clone(&count);
        drop(converse(stream, |stream, id, index| {
            let good = good(id, index);
            match count.fetch_add(1, Ordering::SeqCst) % 10 {
                // Given up, twice answered, cut off, and cut into pieces.
                3 => stream.write_all(&of_request(&end(2), id)),
                5 => stream.write_all(&[&good[..], &good].concat()),
                7 => {
                    stream.write_all(&good[..50])?;
                    Err(std::io::ErrorKind::ConnectionAborted.into())
                }
                9 => good.chunks(7).try_for_each(|piece| stream.write_all(piece)),
                _ => stream.write_all(&good),
            }
        }));
    });
    let mut plan = short_plan(port);
    plan["protocol"] = "fastcgi".into();
    plan["timeout_ns"] = LONG_TIMEOUT_NS.into();
    let (outcome, _, _) = watch(&plan);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let (done, totals) = (outcome.event("done"), outcome.totals());
    assert_eq!(
        (&totals["good"], &totals["completed"]),
        (&40.into(), &50.into())
    );
    let errors = serde_json::json!({"reset": 5, "closed": 5});
    assert_eq!(totals["errors"], errors);
    assert_eq!(done["digests_wrong"], 0);
    // Of each good answer, and of each that was cut off.
    assert_eq!(done["stderr_bytes"], 45 * "so far".len());
}
