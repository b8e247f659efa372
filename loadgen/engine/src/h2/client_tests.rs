//! A server's frames against the client: what is taken, what is sent, what is refused.

use super::*;
use crate::plan::Plan;

fn form() -> Form {
    let plan = serde_json::json!({"schema": 1, "target": {"address": "127.0.0.1", "port": 9000},
        "scenario": {"schema": 1, "name": "s",
            "objects": {"bucket": "bench", "count": 10, "size_bytes": 20, "key": "o-{index}"},
            "operations": [{"name": "put", "weight": 1, "status": 200}],
            "check": {"digest_one_in": 0}},
        "rate_rps": 1, "warmup_s": 0, "duration_s": 1, "connections": 1, "seed": 1});
    Form::new(&Plan::parse(&plan.to_string()).unwrap())
}

fn ask(verb: Verb) -> Ask {
    Ask {
        verb,
        operation: 0,
        index: 5,
        offset: 3,
        length: 10,
        status: 0,
        sized: true,
        compare: false,
    }
}

/// A client that has the server's settings, and what is in flight on it.
struct Wire {
    client: Client,
    flights: Flights,
    body: Vec<u8>,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    f::push(kind, flags, stream, payload, &mut out);
    out
}

fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (id, value) in pairs {
        f::push_setting(*id, *value, &mut payload);
    }
    frame(f::SETTINGS, 0, 0, &payload)
}

const OK: &[u8] = &[0x88];
const WHOLE: u8 = f::END_HEADERS | f::END_STREAM;

impl Wire {
    fn new(pairs: &[(u16, u32)]) -> Self {
        let mut wire = Self {
            client: Client::default(),
            flights: Flights::new(),
            body: Vec::new(),
        };
        assert_eq!(wire.take(&settings(pairs)), Ok(None));
        wire.output();
        wire
    }

    fn send(&mut self, verb: Verb, size: u64) -> (u32, Vec<u8>) {
        let mut out = Vec::new();
        let mut asked = ask(verb);
        if verb == Verb::Put {
            asked.length = size;
        }
        let (stream, bytes) = self.client.request(&form(), &asked, None, &mut out);
        let mut flight = Flight::new(1, asked);
        (flight.stream.id, flight.request_bytes) = (stream, bytes);
        self.flights.push_back(flight);
        (stream, out)
    }

    fn take(&mut self, mut bytes: &[u8]) -> Taken {
        let body = &mut self.body;
        let into = |_: &mut Flight, _, piece: &[u8]| body.extend_from_slice(piece);
        self.client.next(&mut bytes, &mut self.flights, 7, into)
    }

    fn output(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.client.pump(1 << 20, &mut out);
        out
    }
}

/// Kind, flags, stream and length of each frame.
fn heads(mut bytes: &[u8]) -> Vec<(u8, u8, u32, usize)> {
    let mut found = Vec::new();
    while let Some(head) = bytes.first_chunk() {
        let head = Head::parse(*head);
        found.push((head.kind, head.flags, head.stream, head.length));
        bytes = &bytes[f::HEAD_BYTES + head.length..];
    }
    found
}

#[test]
fn it_begins_with_the_preface_and_has_room_when_the_settings_came() {
    let mut client = Client::default();
    let mut out = Vec::new();
    client.pump(1 << 20, &mut out);
    assert_eq!(&out[..f::PREFACE.len()], f::PREFACE);
    let begun = heads(&out[f::PREFACE.len()..]);
    assert_eq!(
        begun,
        [(f::SETTINGS, 0, 0, 18), (f::WINDOW_UPDATE, 0, 0, 4)]
    );
    assert!(!client.has_room(0, 16));
    let mut wire = Wire::new(&[(f::SETTING_STREAMS, 2)]);
    assert!(wire.client.has_room(1, 16) && !wire.client.has_room(2, 16));
    assert!(!wire.client.has_room(1, 1));
    assert_eq!(wire.take(&settings(&[])), Ok(None));
    assert_eq!(heads(&wire.output()), [(f::SETTINGS, f::ACK, 0, 0)]);
    assert_eq!(wire.take(&frame(f::PING, 0, 0, b"12345678")), Ok(None));
    assert_eq!(wire.output(), frame(f::PING, f::ACK, 0, b"12345678"));
}

#[test]
fn requests_are_heads_and_small_bodies_in_one() {
    let mut wire = Wire::new(&[]);
    let (stream, out) = wire.send(Verb::Get, 1);
    assert_eq!((stream, heads(&out).len()), (1, 1));
    assert_eq!(heads(&out)[0].1, WHOLE);
    let text = String::from_utf8_lossy(&out).into_owned();
    assert!(text.contains("127.0.0.1:9000") && text.contains("/bench/o-5"));
    let (stream, out) = wire.send(Verb::Put, 100);
    assert_eq!(stream, 3);
    assert_eq!(heads(&out)[0].1, f::END_HEADERS);
    assert_eq!(heads(&out)[1], (f::DATA, f::END_STREAM, 3, 100));
    assert!(crate::body::matches(5, 0, &out[out.len() - 100..]));
    assert_eq!(wire.flights[1].request_bytes, out.len() as u64);
    let (_, out) = wire.send(Verb::Range, 1);
    assert!(String::from_utf8_lossy(&out).contains("bytes=3-12"));
}

#[test]
fn an_answer_is_whole_however_it_is_cut() {
    let mut bytes = frame(f::HEADERS, f::END_HEADERS, 1, b"\x48\x03100"); // interim
    let head = [OK, b"\x0f\x0d\x0210"].concat();
    bytes.extend(frame(f::HEADERS, 0, 1, &head[..3]));
    bytes.extend(frame(f::CONTINUATION, f::END_HEADERS, 1, &head[3..]));
    bytes.extend(frame(f::DATA, 0, 1, b""));
    bytes.extend(frame(0xbe, 0xff, 1, b"unknown"));
    bytes.extend(frame(f::DATA, f::PADDED, 1, b"\x0201234.."));
    bytes.extend(frame(f::DATA, f::END_STREAM | f::PADDED, 1, b"\x0056789"));
    for cut in 0..bytes.len() {
        let mut wire = Wire::new(&[]);
        wire.send(Verb::Get, 1);
        assert_eq!(wire.take(&bytes[..cut]), Ok(None), "{cut}");
        assert_eq!(
            wire.take(&bytes[cut..]),
            Ok(Some(Event::Answered(0))),
            "{cut}"
        );
        assert_eq!(wire.body, b"0123456789");
        let flight = &wire.flights[0];
        let answer = flight.stream.answer;
        assert_eq!(
            (answer.status, answer.length, answer.body_bytes),
            (200, Some(10), 10)
        );
        assert_eq!(answer.wire_bytes, bytes.len() as u64);
        assert_eq!(flight.first_byte_ns, 7);
    }
    let mut wire = Wire::new(&[]);
    wire.send(Verb::Get, 1);
    let last = bytes.iter().map(|byte| wire.take(&[*byte])).last();
    assert_eq!(last, Some(Ok(Some(Event::Answered(0)))));
}

#[test]
fn answers_end_in_any_order() {
    let mut wire = Wire::new(&[]);
    (0..3).for_each(|_| drop(wire.send(Verb::Get, 1)));
    assert_eq!(
        wire.take(&frame(f::HEADERS, WHOLE, 5, OK)),
        Ok(Some(Event::Answered(2)))
    );
    wire.flights.remove(2);
    assert_eq!(
        wire.take(&frame(f::HEADERS, WHOLE, 1, OK)),
        Ok(Some(Event::Answered(0)))
    );
    wire.flights.remove(0);
    let late = frame(f::DATA, f::END_STREAM, 1, b"of a stream that has ended");
    assert_eq!(wire.take(&late), Ok(None));
    let reset = frame(f::RST_STREAM, 0, 3, &[0; 4]);
    assert_eq!(wire.take(&reset), Ok(Some(Event::Reset(0))));
}

#[test]
fn bodies_wait_for_both_windows_and_share_them() {
    let mut wire = Wire::new(&[(f::SETTING_WINDOW, 20_000)]);
    let (_, out) = wire.send(Verb::Put, 50_000);
    assert_eq!(heads(&out).len(), 1, "the body follows");
    wire.send(Verb::Put, 50_000);
    let sent = heads(&wire.output());
    let lengths: Vec<(u32, usize)> = sent.iter().map(|head| (head.2, head.3)).collect();
    assert_eq!(lengths, [(1, 16_384), (3, 16_384), (1, 3_616), (3, 3_616)]);
    assert!(wire.output().is_empty() && !wire.client.has_output());
    let more = frame(f::WINDOW_UPDATE, 0, 1, &40_000_u32.to_be_bytes());
    assert_eq!(wire.take(&more), Ok(None));
    let sent = heads(&wire.output());
    let all: usize = sent.iter().map(|head| head.3).sum();
    assert_eq!(all, 65_535 - 40_000, "the connection's window is used up");
    wire.take(&frame(f::WINDOW_UPDATE, 0, 0, &40_000_u32.to_be_bytes()))
        .unwrap();
    let sent = heads(&wire.output());
    assert_eq!(sent.last(), Some(&(f::DATA, f::END_STREAM, 1, 4_465)));
    // the first window moves that of the stream that is open
    wire.take(&settings(&[(f::SETTING_WINDOW, 10_000)]))
        .unwrap();
    wire.output();
    wire.take(&settings(&[(f::SETTING_WINDOW, 50_000)]))
        .unwrap();
    let sent = heads(&wire.output());
    let of_body: usize = sent.iter().filter(|h| h.0 == f::DATA).map(|h| h.3).sum();
    assert_eq!(of_body, 30_000);
}

#[test]
fn an_early_answer_ends_its_body() {
    let mut wire = Wire::new(&[(f::SETTING_WINDOW, 10)]);
    wire.send(Verb::Put, 100);
    wire.output();
    let answered = wire.take(&frame(f::HEADERS, WHOLE, 1, OK));
    assert_eq!(answered, Ok(Some(Event::Answered(0))));
    assert_eq!(heads(&wire.output()), [(f::RST_STREAM, 0, 1, 4)]);
}

#[test]
fn windows_are_widened_when_half_is_used() {
    let mut wire = Wire::new(&[]);
    wire.send(Verb::Get, 1);
    wire.take(&frame(f::HEADERS, f::END_HEADERS, 1, OK))
        .unwrap();
    let data = frame(f::DATA, 0, 1, &[0; f::PAYLOAD_BYTES_MAX]);
    let mut updates = Vec::new();
    for _ in 0..(WINDOW_BYTES / 2) as usize / f::PAYLOAD_BYTES_MAX {
        wire.body.clear();
        wire.take(&data).unwrap();
        updates.extend(heads(&wire.output()));
    }
    assert_eq!(
        updates,
        [(f::WINDOW_UPDATE, 0, 0, 4), (f::WINDOW_UPDATE, 0, 1, 4)]
    );
}

#[test]
fn what_is_no_answer_resets_its_stream_only() {
    let long = frame(f::DATA, f::END_STREAM, 1, b"more than promised");
    let length_1 = [OK, b"\x0f\x0d\x011"].concat();
    let head = frame(f::HEADERS, f::END_HEADERS, 1, OK);
    let cases = [
        ("no status", frame(f::HEADERS, WHOLE, 1, b"\x0f\x0d\x010")),
        ("two", frame(f::HEADERS, WHOLE, 1, b"\x88\x88")),
        (
            "a request's field",
            frame(f::HEADERS, WHOLE, 1, b"\x88\x84"),
        ),
        ("status 99", frame(f::HEADERS, WHOLE, 1, b"\x48\x0299")),
        (
            "switching",
            frame(f::HEADERS, f::END_HEADERS, 1, b"\x48\x03101"),
        ),
        (
            "interim at the end",
            frame(f::HEADERS, WHOLE, 1, b"\x48\x03100"),
        ),
        ("a body before its head", frame(f::DATA, 0, 1, b"x")),
        (
            "too long",
            [frame(f::HEADERS, f::END_HEADERS, 1, &length_1), long].concat(),
        ),
        ("too short", frame(f::HEADERS, WHOLE, 1, &length_1)),
        ("a second head", [head.clone(), head].concat()),
    ];
    for (what, bytes) in cases {
        let mut wire = Wire::new(&[]);
        wire.send(Verb::Get, 1);
        assert_eq!(wire.take(&bytes), Ok(Some(Event::Broken(0))), "{what}");
        assert_eq!(heads(&wire.output()), [(f::RST_STREAM, 0, 1, 4)], "{what}");
    }
    let mut wire = Wire::new(&[]);
    wire.send(Verb::Head, 1);
    let silent = frame(f::HEADERS, WHOLE, 1, &length_1);
    assert_eq!(
        wire.take(&silent),
        Ok(Some(Event::Answered(0))),
        "HEAD has no body"
    );
}

#[test]
fn what_breaks_http_2_ends_the_connection() {
    let zero = [0; 4];
    let cases = [
        ("HTTP/1.1", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("a long frame", frame(f::DATA, 0, 1, &vec![0; 16_385])),
        ("data of nobody", frame(f::DATA, 0, 3, b"x")),
        ("data on stream 0", frame(f::DATA, 0, 0, b"x")),
        ("a head of nobody", frame(f::HEADERS, WHOLE, 2, OK)),
        ("a promise", frame(f::PUSH_PROMISE, 4, 1, b"\0\0\0\x02\x88")),
        ("a short ping", frame(f::PING, 0, 0, b"1")),
        ("settings of a stream", frame(f::SETTINGS, 0, 1, b"")),
        ("settings in part", frame(f::SETTINGS, 0, 0, b"123")),
        (
            "an ack that says something",
            frame(f::SETTINGS, 1, 0, b"123456"),
        ),
        (
            "a window over the limit",
            settings(&[(f::SETTING_WINDOW, u32::MAX)]),
        ),
        ("a small frame size", settings(&[(f::SETTING_FRAME, 1)])),
        ("a window of nothing", frame(f::WINDOW_UPDATE, 0, 0, &zero)),
        (
            "an overflow",
            frame(f::WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255]),
        ),
        ("a reset of nobody", frame(f::RST_STREAM, 0, 3, &zero)),
        ("a lone continuation", frame(f::CONTINUATION, 4, 1, OK)),
        ("padding", frame(f::DATA, f::PADDED, 1, b"\x05123")),
        ("padding of nothing", frame(f::DATA, f::PADDED, 1, b"")),
        (
            "padded head",
            frame(f::HEADERS, f::PADDED | 4, 1, b"\x05\x88"),
        ),
        ("a bad index", frame(f::HEADERS, WHOLE, 1, b"\xbe")),
        ("a head cut by a ping", {
            [frame(f::HEADERS, 0, 1, OK), frame(f::PING, 0, 0, &[0; 8])].concat()
        }),
    ];
    for (what, bytes) in cases {
        let mut wire = Wire::new(&[]);
        wire.send(Verb::Get, 1);
        assert!(wire.take(&bytes).is_err(), "{what}");
    }
    let mut silent = Wire::new(&[]);
    silent.client = Client::default();
    assert!(
        silent.take(&frame(f::PING, 0, 0, &[0; 8])).is_err(),
        "settings come first"
    );
}

#[test]
fn floods_have_limits() {
    let floods = [frame(f::PING, 0, 0, &[0; 8]), settings(&[])];
    for one in floods {
        let mut wire = Wire::new(&[]);
        assert!((0..10_000).any(|_| wire.take(&one).is_err()));
        assert!(wire.client.control.len() <= CONTROL_BYTES_MAX + 32);
    }
    for piece in [&b""[..], &[0; 16_000]] {
        let mut wire = Wire::new(&[]);
        wire.send(Verb::Get, 1);
        wire.take(&frame(f::HEADERS, 0, 1, b"")).unwrap();
        assert!((0..100).any(|_| wire.take(&frame(f::CONTINUATION, 0, 1, piece)).is_err()));
    }
    let mut wire = Wire::new(&[]);
    wire.send(Verb::Get, 1);
    let interim = frame(f::HEADERS, f::END_HEADERS, 1, b"\x48\x03103");
    assert!((0..100).any(|_| wire.take(&interim) == Ok(Some(Event::Broken(0)))));
}

#[test]
fn a_goaway_ends_the_room() {
    let mut wire = Wire::new(&[]);
    wire.send(Verb::Get, 1);
    let last = [0, 0, 0, 1, 0, 0, 0, 0];
    let told = wire.take(&frame(f::GOAWAY, 0, 0, &last));
    assert_eq!(told, Ok(Some(Event::GoAway { last: 1, code: 0 })));
    assert!(!wire.client.has_room(0, 16) && wire.client.is_draining());
    let answer = frame(f::HEADERS, WHOLE, 1, OK);
    assert_eq!(wire.take(&answer), Ok(Some(Event::Answered(0))));
}

#[test]
fn a_connection_whose_streams_are_used_up_is_draining() {
    let mut wire = Wire::new(&[]);
    wire.client.next_stream = f::STREAM_MAX - 2;
    assert!(wire.client.has_room(0, 16) && !wire.client.is_draining());
    let (last, _) = wire.send(Verb::Get, 1);
    assert_eq!(last, f::STREAM_MAX - 2);
    assert!(!wire.client.has_room(0, 16) && wire.client.is_draining());
    let answer = frame(f::HEADERS, WHOLE, last, OK);
    assert_eq!(wire.take(&answer), Ok(Some(Event::Answered(0))));
}
