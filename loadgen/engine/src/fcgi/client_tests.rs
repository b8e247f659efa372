//! A conversation of the client with a responder, whole and in pieces, good and bad.

use super::*;
use crate::load::Load;

const OK: &str = "Status: 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A record of the request in flight, which is the first.
fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    padded(kind, content, 0)
}

fn padded(kind: u8, content: &[u8], padding: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let head = Head {
        kind,
        id: 1,
        length: content.len().try_into().unwrap(),
        padding,
    };
    head.push(&mut out);
    out.extend_from_slice(content);
    out.resize(out.len() + usize::from(padding), b'p');
    out
}

fn end(app: u8, status: u8) -> Vec<u8> {
    record(r::END_REQUEST, &[0, 0, 0, app, status, 0, 0, 0])
}

/// A client with one request in flight.
fn asking() -> Client {
    let mut client = Client::default();
    client.begin(&[], &mut Vec::new());
    client
}

type Heard = Result<(Option<Ended>, Vec<u8>), Malformed>;

/// What comes of these bytes, `piece` at a time; nothing may be left behind an end.
fn hear(client: &mut Client, bytes: &[u8], bodyless: bool, piece: usize) -> Heard {
    let mut body = Vec::new();
    for (place, now) in bytes.chunks(piece).enumerate() {
        let fed = client.feed(now, bodyless, |offset, slice| {
            assert_eq!(offset, body.len() as u64);
            body.extend_from_slice(slice);
        });
        if let (taken, Some(ended)) = fed? {
            assert_eq!(place * piece + taken, bytes.len());
            return Ok((Some(ended), body));
        }
    }
    Ok((None, body))
}

fn answer_of(bytes: &[u8], bodyless: bool) -> Heard {
    let whole = hear(&mut asking(), bytes, bodyless, bytes.len().max(1));
    for piece in [1, 3, 8, 13] {
        assert_eq!(hear(&mut asking(), bytes, bodyless, piece), whole);
    }
    whole
}

fn answered(bytes: &[u8], bodyless: bool) -> (Answer, Vec<u8>) {
    let (ended, body) = answer_of(bytes, bodyless).unwrap();
    let Some(Ended::Answered(answer)) = ended else {
        panic!("{ended:?}");
    };
    assert!(answer.keep_alive);
    assert_eq!(answer.wire_bytes, bytes.len() as u64);
    assert_eq!(answer.body_bytes, body.len() as u64);
    (answer, body)
}

#[test]
fn an_answer_is_heard_however_it_is_cut_and_padded() {
    let one = [record(r::STDOUT, OK.as_bytes()), end(0, 0)].concat();
    let ended = [
        record(r::STDOUT, OK.as_bytes()),
        record(r::STDOUT, b""),
        end(0, 0),
    ];
    let (head, rest) = OK.as_bytes().split_at(12);
    let (more, body) = rest.split_at(rest.len() - 3);
    let many = [
        padded(r::STDERR, b"a warning", 3),
        padded(r::STDOUT, head, 255),
        record(r::STDERR, b""),
        padded(r::STDOUT, more, 1),
        record(r::STDOUT, body),
        padded(r::STDOUT, b"", 7),
        padded(r::END_REQUEST, &[0; 8], 8),
    ];
    for bytes in [one, ended.concat(), many.concat()] {
        let (answer, body) = answered(&bytes, false);
        assert_eq!((answer.status, answer.length), (200, Some(5)));
        assert_eq!(body, b"hello");
    }
}

#[test]
fn heads_say_what_cgi_lets_them_say() {
    for (head, status, length) in [
        ("Content-Type: text/plain\n\n", 200, None),
        ("Location: /elsewhere\r\n\r\n", 302, None),
        ("Location: /made\r\nStatus: 201 Created\r\n\r\n", 201, None),
        ("status: 404\r\n\r\n", 404, None),
        (
            "Status: 204 No Content\r\nContent-Length: 9\r\n\r\n",
            204,
            Some(9),
        ),
    ] {
        let bytes = [record(r::STDOUT, head.as_bytes()), end(0, 0)].concat();
        let (answer, _) = answered(&bytes, false);
        assert_eq!((answer.status, answer.length), (status, length), "{head}");
    }
    let head = "Status: 200 OK\r\nContent-Length: 7\r\n\r\n";
    let bytes = [record(r::STDOUT, head.as_bytes()), end(0, 0)].concat();
    assert_eq!(answered(&bytes, true).0.length, Some(7));
}

#[test]
fn a_responder_may_give_a_request_up() {
    for (app, status) in [(0, 1), (0, 2), (0, 3), (1, 1)] {
        let bytes = [record(r::STDOUT, b"Status: 2"), end(app, status)].concat();
        let heard = answer_of(&bytes, false);
        assert_eq!(heard.unwrap().0, Some(Ended::GivenUp), "{app} {status}");
    }
}

#[test]
fn an_exit_status_beside_a_whole_answer_is_no_failure() {
    let bytes = [record(r::STDOUT, OK.as_bytes()), end(1, 0)].concat();
    assert_eq!(answered(&bytes, false).0.status, 200);
}

#[test]
fn the_next_request_finds_nothing_of_the_one_before() {
    let mut client = asking();
    let given_up = [record(r::STDOUT, b"Status: 2"), end(0, 2)].concat();
    let heard = hear(&mut client, &given_up, false, 5).unwrap();
    assert_eq!(heard.0, Some(Ended::GivenUp));
    client.begin(&[], &mut Vec::new());
    let mut again = [record(r::STDOUT, OK.as_bytes()), end(0, 0)].concat();
    assert_eq!(
        hear(&mut client, &again, false, 4),
        Err(Malformed("a record of another request"))
    );
    let second = record(r::STDOUT, OK.as_bytes()).len();
    (again[3], again[second + 3]) = (2, 2);
    let mut client = asking();
    hear(&mut client, &given_up, false, 5).unwrap();
    client.begin(&[], &mut Vec::new());
    let (ended, body) = hear(&mut client, &again, false, 5).unwrap();
    assert!(matches!(ended, Some(Ended::Answered(answer)) if answer.status == 200));
    assert_eq!(body, b"hello");
}

#[test]
fn ids_are_never_zero() {
    let mut client = Client {
        id: u16::MAX,
        ..Client::default()
    };
    let mut out = Vec::new();
    client.begin(&[], &mut out);
    assert_eq!(out[2..4], [0, 1]);
}

fn out(text: &str) -> Vec<u8> {
    record(r::STDOUT, text.as_bytes())
}

fn whole(text: &str) -> Vec<u8> {
    [out(text), end(0, 0)].concat()
}

#[test]
fn records_that_belong_to_no_answer_are_refused() {
    let (mut version, mut other, mut management) = (out(OK), out(OK), out(OK));
    (version[0], other[3]) = (2, 2);
    (management[1], management[3]) = (10, 0);
    let http = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let empty = record(r::STDOUT, b"");
    let noise = record(r::STDERR, &vec![b'x'; 60_000]);
    for (bytes, what) in [
        (version, "not a record of FastCGI 1"),
        (http, "not a record of FastCGI 1"),
        (other, "a record of another request"),
        (management, "a record of another request"),
        (record(r::STDIN, b"x"), "a record that no responder sends"),
        (
            record(r::END_REQUEST, &[0; 9]),
            "a record of the wrong length",
        ),
        (record(r::END_REQUEST, b""), "a record of the wrong length"),
        ([out(OK), end(0, 4)].concat(), "an unknown protocol status"),
        (end(0, 0), "the end before a head"),
        ([empty.clone(), end(0, 0)].concat(), "the end before a head"),
        (whole("Status: 200 OK\r\n"), "the end before a head"),
        (empty.repeat(2), "a stream that goes on behind its end"),
        (
            [record(r::STDERR, b""), record(r::STDERR, b"x")].concat(),
            "a stream that goes on behind its end",
        ),
        (noise.repeat(2), "stderr over the limit"),
    ] {
        assert_eq!(answer_of(&bytes, false), Err(Malformed(what)));
    }
}

#[test]
fn contents_that_are_no_answer_are_refused() {
    let two = "Content-Length: 1\r\nContent-Length: 2\r\n\r\n";
    let coded = "Transfer-Encoding: chunked\r\n\r\n";
    let five = |body: &str| format!("Status: 200\r\nContent-Length: 5\r\n\r\n{body}");
    let (short, long) = (
        "body shorter than its Content-Length",
        "body longer than it may be",
    );
    for (bytes, what) in [
        (out("\r\n"), "a head without a line"),
        (out("no head at all\n"), "not a CGI head"),
        (out(&"A: b\r\n".repeat(97)), "too many headers"),
        (out(&"x".repeat(60_000)).repeat(2), "head over the limit"),
        (out("Status: 99\r\n\r\n"), "status out of range"),
        (out("Status: 103 Early\r\n\r\n"), "status out of range"),
        (out("Status: 0200\r\n\r\n"), "status out of range"),
        (out("Status: 200\r\nStatus: 200\r\n\r\n"), "two Status"),
        (out("Content-Length: x\r\n\r\n"), "bad Content-Length"),
        (out(two), "two different Content-Length"),
        (out(coded), "Transfer-Encoding without HTTP"),
        (whole(&five("hell")), short),
        (out(&five("hello!")), long),
        (out("Status: 304\r\n\r\nx"), long),
    ] {
        assert_eq!(answer_of(&bytes, false), Err(Malformed(what)));
    }
    assert_eq!(answer_of(&whole(OK), true), Err(Malformed(long)));
}

#[test]
fn what_comes_beside_an_answer_is_counted_once() {
    let mut client = asking();
    let bytes = [record(r::STDERR, b"three words here"), end(0, 2)].concat();
    hear(&mut client, &bytes, false, 3).unwrap();
    assert_eq!(
        (client.take_stderr_bytes(), client.take_stderr_bytes()),
        (16, 0)
    );
}

/// The pairs of PARAMS.
fn pairs(mut bytes: &[u8]) -> Vec<(String, String)> {
    let length = |bytes: &mut &[u8]| {
        let size = if bytes[0] < 128 { 1 } else { 4 };
        let (digits, rest) = bytes.split_at(size);
        *bytes = rest;
        digits
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
            & 0x7fff_ffff
    };
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (name, value) = (length(&mut bytes), length(&mut bytes));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        found.push((text(&bytes[..name]), text(&bytes[name..name + value])));
        bytes = &bytes[name + value..];
    }
    found
}

#[test]
fn requests_are_what_nginx_would_pass() {
    let plan = serde_json::json!({"schema": 1, "protocol": "fastcgi",
        "target": {"address": "::1", "port": 9000},
        "scenario": {"schema": 1, "name": "s",
            "objects": {"bucket": "bench", "count": 10, "size_bytes": 20, "key": "o-{index}"},
            "operations": [{"name": "get", "weight": 1, "status": 200}],
            "check": {"digest_one_in": 0}},
        "rate_rps": 1, "warmup_s": 0, "duration_s": 1, "connections": 1, "seed": 1});
    let form = Form::new(&crate::plan::Plan::parse(&plan.to_string()).unwrap());
    for (verb, method, more) in [
        (Verb::Get, "GET", vec![]),
        (Verb::Delete, "DELETE", vec![]),
        (Verb::Range, "GET", vec![("HTTP_RANGE", "bytes=3-12")]),
        (
            Verb::Put,
            "PUT",
            vec![("CONTENT_LENGTH", "10"), ("HTTP_CONTENT_LENGTH", "10")],
        ),
    ] {
        let mut ask = Load::Path.ask(0);
        (ask.verb, ask.index, ask.offset, ask.length) = (verb, 5, 3, 10);
        let (mut client, mut out) = (Client::default(), Vec::new());
        let (rest, cost) = client.request(&form, &ask, None, 1 << 20, &mut out);
        assert_eq!((rest, cost), (None, out.len() as u64));
        assert_eq!(out[..16], [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
        let head = Head::parse(out[16..24].try_into().unwrap()).unwrap();
        assert_eq!((head.kind, head.id), (r::PARAMS, 1));
        let (fields, rest) = out[24..].split_at(head.length.into());
        let mut wanted = vec![
            ("REQUEST_METHOD", method),
            ("REQUEST_URI", "/bench/o-5"),
            ("HTTP_HOST", "[::1]:9000"),
        ];
        wanted.extend(more);
        let found = pairs(fields);
        let found: Vec<_> = found.iter().map(|(n, v)| (&**n, &**v)).collect();
        assert_eq!(found, wanted);
        let body = if verb == Verb::Put { 18 } else { 0 };
        assert_eq!(rest.len(), 8 + body + 8, "the ends of PARAMS and STDIN");
    }
}
