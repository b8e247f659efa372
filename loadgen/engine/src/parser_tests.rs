//! Nasty answers for the parser: whole, byte by byte, cut at every place, and mutated at random.

use super::*;
use crate::draw::Stream;

type Parsed = Result<(Vec<(Answer, Vec<u8>)>, Option<Answer>), Malformed>;

/// Feeds `input` in pieces of `step` bytes; whole answers with bodies, then what the end gives.
fn parse(input: &[u8], step: usize, bodyless: bool) -> Parsed {
    let mut parser = Parser::default();
    let (mut answers, mut body) = (Vec::new(), Vec::new());
    for piece in input.chunks(step) {
        let mut at = 0;
        while at < piece.len() {
            let (taken, answer) = parser.feed(&piece[at..], bodyless, |offset, bytes| {
                assert_eq!(offset, body.len() as u64);
                body.extend_from_slice(bytes);
            })?;
            assert!(taken > 0, "no progress");
            at += taken;
            if let Some(answer) = answer {
                assert_eq!(answer.body_bytes, body.len() as u64);
                answers.push((answer, std::mem::take(&mut body)));
            }
        }
    }
    Ok((answers, parser.end()))
}

const GOOD: &[(&str, &str)] = &[
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
    (
        "HTTP/1.1 200 OK\r\ncontent-length:  5 \r\nX: y\r\n\r\nhello",
        "hello",
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        "hi",
    ),
    ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ""),
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "hi",
    ),
    (
        "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
        "",
    ),
    ("HTTP/1.1 304 Not\r\nContent-Length: 99\r\n\r\n", ""),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "hello",
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=\"y\"\r\nhel\r\n\
         2 \r\nlo\r\n000\r\nT: 1\r\nU: 2\r\n\r\n",
        "hello",
    ),
];

#[test]
fn good_answers_are_parsed_whole_and_in_any_pieces() {
    for (input, body) in GOOD {
        for step in 1..=input.len() {
            let (answers, end) = parse(input.as_bytes(), step, false).unwrap();
            assert_eq!(answers.len(), 1, "{input:?} in steps of {step}");
            assert_eq!(answers[0].1, body.as_bytes());
            assert_eq!(answers[0].0.wire_bytes, input.len() as u64);
            assert!(answers[0].0.keep_alive && end.is_none());
        }
    }
}

#[test]
fn pipelined_answers_are_told_apart() {
    let input: String = GOOD.iter().map(|(input, _)| *input).collect();
    for step in [1, 2, 3, 7, 50, input.len()] {
        let (answers, _) = parse(input.as_bytes(), step, false).unwrap();
        let bodies: Vec<_> = answers.iter().map(|(_, body)| body.as_slice()).collect();
        let expected: Vec<_> = GOOD.iter().map(|(_, body)| body.as_bytes()).collect();
        assert_eq!(bodies, expected);
    }
}

#[test]
fn an_answer_to_head_has_a_length_and_no_body() {
    let input = b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n";
    let (answers, _) = parse(input, 7, true).unwrap();
    assert_eq!(
        (answers[0].0.length, answers[0].0.body_bytes),
        (Some(1024), 0)
    );
}

#[test]
fn the_end_of_the_stream_ends_a_body_without_a_length() {
    let (answers, end) = parse(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 4, false).unwrap();
    let end = end.unwrap();
    assert!(answers.is_empty() && end.body_bytes == 13 && !end.keep_alive);
    let cut = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 4, false).unwrap();
    assert_eq!(cut, (vec![], None));
}

#[test]
fn keep_alive_follows_version_and_header() {
    for (head, expected) in [
        ("HTTP/1.1 204 x\r\n\r\n", true),
        ("HTTP/1.1 204 x\r\nConnection: close\r\n\r\n", false),
        ("HTTP/1.1 204 x\r\nConnection: foo, CLOSE\r\n\r\n", false),
        ("HTTP/1.0 204 x\r\n\r\n", false),
        ("HTTP/1.0 204 x\r\nConnection: keep-alive\r\n\r\n", true),
    ] {
        let (answers, _) = parse(head.as_bytes(), 100, false).unwrap();
        assert_eq!(answers[0].0.keep_alive, expected, "{head:?}");
    }
}

#[test]
fn bad_answers_are_refused_in_any_pieces() {
    let many = format!(
        "HTTP/1.1 200 OK\r\n{}\r\n",
        "A: b\r\n".repeat(HEADERS_MAX + 1)
    );
    let long = format!(
        "HTTP/1.1 200 OK\r\nA: {}\r\n\r\n",
        "b".repeat(HEAD_BYTES_MAX)
    );
    let interim = "HTTP/1.1 100 C\r\n\r\n".repeat(17);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
    let bad = [
        "garbage\r\n\r\n".to_owned(),
        "HTTP/2 200 OK\r\n\r\n".to_owned(),
        "\r\nHTTP/1.1 204 No\r\n\r\n".to_owned(),
        "\n".repeat(HEAD_BYTES_MAX - 1),
        "HTTP/1.1 2x0 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 099 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 101 Switching\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 5368709121\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nName : x\r\n\r\n".to_owned(),
        format!("{chunked}Content-Length: 5\r\n\r\n"),
        format!("{chunked}\r\nzz\r\n"),
        format!("{chunked}\r\n\r\n"),
        format!("{chunked}\r\n-1\r\n"),
        format!("{chunked}\r\nffffffffffffffff\r\n"),
        format!("{chunked}\r\n5\nhello"),
        format!("{chunked}\r\n2\r\nhello\r\n"),
        format!("{chunked}\r\n5;{}\r\n", "x".repeat(5000)),
        format!("{chunked}\r\n0\r\n{}", "T: 1234567890\r\n".repeat(6000)),
        many,
        long,
        interim,
    ];
    for input in &bad {
        for step in [1, 3, 4096, input.len()] {
            let shown = &input[..input.len().min(90)];
            assert!(
                parse(input.as_bytes(), step, false).is_err(),
                "{shown:?} step {step}"
            );
        }
    }
}

/// A poor man's fuzzer, seeded so that a failure repeats: no panic, no endless loop, same result
/// whole and in pieces.
#[test]
fn mutated_answers_never_panic_and_do_not_depend_on_the_pieces() {
    let mut stream = Stream::new(11, 0, 0);
    let place =
        |stream: &mut Stream, length: usize| usize::try_from(stream.below(length as u64)).unwrap();
    for round in 0..30_000_usize {
        let mut input = GOOD[round % GOOD.len()].0.as_bytes().to_vec();
        for _ in 0..=stream.below(3) {
            let at = place(&mut stream, input.len());
            match stream.below(3) {
                0 => input[at] = b"\r\n:;0 9fFzH/1\0\xff"[place(&mut stream, 15)],
                1 => drop(input.remove(at)),
                _ => input.insert(at, b"\r\n:;0 9fFzH/1\0\xff"[place(&mut stream, 15)]),
            }
            if input.is_empty() {
                input.push(b'H');
            }
        }
        let whole = parse(&input, input.len(), false);
        let step = place(&mut stream, 9) + 1;
        let pieces = parse(&input, step, false);
        match (&whole, &pieces) {
            (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces, "{input:?} {step}"),
            // Which limit or fault is met first may depend on the pieces; that it is one may not.
            // A head in pieces is looked at when a line ends: there the fault is not met yet.
            (Err(_), Err(_) | Ok((_, None))) => {}
            _ => panic!(
                "{:?} in {step}: {whole:?} {pieces:?}",
                input.escape_ascii().to_string()
            ),
        }
    }
}
