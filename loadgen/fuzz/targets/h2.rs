//! What any bytes do to the client half of HTTP/2, header blocks included: the same events, bodies
//! and refusals whole and in pieces, and nothing but whole frames in return.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pausemark_engine::connection::Flight;
use pausemark_engine::draw::Stream;
use pausemark_engine::h2::frames::{self as f, Head};
use pausemark_engine::h2::{Client, Event};
use pausemark_engine::load::{Lane, Load, Mix};
use pausemark_engine::parser::{Answer, Malformed};
use pausemark_engine::plan::Plan;
use pausemark_engine::request::Form;
use std::collections::VecDeque;
use std::sync::LazyLock;

/// Larger than the first windows, so that a body waits for the server's leave.
const SIZE: u64 = 70_000;
const PIECE_BYTES_MAX: u64 = 40;
/// A reply to each byte, were there such, and a body's frames.
const OUTPUT_BYTES_MAX: usize = 8 << 20;

const LANE: Lane = Lane {
    seed: 0,
    number: 0,
    of: 1,
};

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let operations = ["get", "put", "head", "delete"]
        .map(|name| format!(r#"{{"name": "{name}", "weight": 1, "status": 200}}"#));
    let text = format!(
        r#"{{"schema": 1, "target": {{"address": "127.0.0.1", "port": 9000}},
        "scenario": {{"schema": 1, "name": "s", "objects": {{"bucket": "bench", "count": 10,
            "size_bytes": {SIZE}, "churn": 20, "key": "o-{{index}}"}},
            "operations": [{}], "check": {{"digest_one_in": 0}}}},
        "rate_rps": 1, "warmup_s": 0, "duration_s": 1, "connections": 1, "seed": 1,
        "protocol": "h2c", "streams": 16}}"#,
        operations.join(", ")
    );
    Plan::parse(&text).expect("a good plan")
});

/// What came of one stream.
#[derive(Debug, PartialEq)]
enum Ended {
    Answered(u32, Answer),
    Reset(u32),
    Broken(u32),
    Refused(u32),
}

#[derive(Debug, Default, PartialEq)]
struct Heard {
    ended: Vec<Ended>,
    bodies: Vec<(u32, u8)>,
    left: Vec<(u32, Answer)>,
    fault: Option<Malformed>,
}

struct Wire {
    client: Client,
    flights: VecDeque<Flight>,
    heard: Heard,
}

impl Wire {
    /// A client with `streams` requests in flight.
    fn new(streams: u8, seed: u64) -> Self {
        let (mut client, mut flights) = (Client::default(), VecDeque::new());
        let form = Form::new(&PLAN);
        let scenario = PLAN.scenario.as_ref().expect("it has one");
        let mut load = Load::Mix(Box::new(Mix::new(scenario, seed, LANE)));
        let mut out = Vec::new();
        for number in 0..u64::from(streams) {
            let ask = load.ask(number);
            let mut flight = Flight::new(1, ask);
            (flight.stream.id, flight.request_bytes) = client.request(&form, &ask, None, &mut out);
            flights.push_back(flight);
        }
        check_frames(&out);
        Self {
            client,
            flights,
            heard: Heard::default(),
        }
    }

    /// Takes bytes as a worker does; false when the connection is of no more use.
    fn take(&mut self, mut bytes: &[u8]) -> bool {
        loop {
            let bodies = &mut self.heard.bodies;
            let into = |flight: &mut Flight, offset: u64, piece: &[u8]| {
                let end = offset + piece.len() as u64;
                assert!(
                    end <= flight.stream.answer.body_bytes,
                    "a body beyond its count"
                );
                bodies.extend(piece.iter().map(|byte| (flight.stream.id, *byte)));
            };
            match self.client.next(&mut bytes, &mut self.flights, 7, into) {
                Err(fault) => {
                    self.heard.fault = Some(fault);
                    return false;
                }
                Ok(None) => {
                    assert!(bytes.is_empty(), "nothing to say, and bytes left");
                    return true;
                }
                Ok(Some(event)) => self.end(event),
            }
        }
    }

    fn end(&mut self, event: Event) {
        let mut remove = |at: usize| {
            self.flights
                .remove(at)
                .expect("an event of a flight")
                .stream
        };
        let ended = match event {
            Event::Answered(at) => {
                let stream = remove(at);
                Ended::Answered(stream.id, stream.answer)
            }
            Event::Reset(at) => Ended::Reset(remove(at).id),
            Event::Broken(at) => Ended::Broken(remove(at).id),
            Event::GoAway { last, .. } => {
                while self
                    .flights
                    .back()
                    .is_some_and(|flight| flight.stream.id > last)
                {
                    let newest = self.flights.pop_back().map_or(0, |flight| flight.stream.id);
                    self.heard.ended.push(Ended::Refused(newest));
                }
                return;
            }
        };
        self.heard.ended.push(ended);
    }

    /// What it heard, once what it says was looked at.
    fn finish(mut self) -> Heard {
        let mut out = Vec::new();
        while self.client.has_output() && out.len() < OUTPUT_BYTES_MAX {
            let before = out.len();
            self.client.pump(before + (256 << 10), &mut out);
            assert!(
                out.len() > before,
                "it says that it has output, and has none"
            );
        }
        check_frames(out.strip_prefix(f::PREFACE).expect("the preface first"));
        let left = self.flights.iter();
        self.heard.left = left.map(|one| (one.stream.id, one.stream.answer)).collect();
        self.heard
    }
}

/// Whole frames of sizes that every server takes.
fn check_frames(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let head = Head::parse(*bytes.first_chunk().expect("a whole head"));
        assert!(head.length <= f::PAYLOAD_BYTES_MAX, "{head:?}");
        bytes = bytes
            .get(f::HEAD_BYTES + head.length..)
            .expect("a whole payload");
    }
}

/// Flow control: no more data than the first window and what the server gave.
fn hear(wire: Wire, mut input: &[u8], mut piece: impl FnMut() -> usize) -> Heard {
    let mut wire = wire;
    while !input.is_empty() {
        let (now, later) = input.split_at(piece().clamp(1, input.len()));
        input = later;
        if !wire.take(now) {
            break;
        }
    }
    wire.finish()
}

// The first four bytes: how many requests are in flight, whether the server has said its settings,
// and where the input is cut.
fuzz_target!(|data: &[u8]| {
    let Some((choice, input)) = data.split_first_chunk::<4>() else {
        return;
    };
    let (streams, seed) = (choice[0] & 15, u64::from(u32::from_le_bytes(*choice)));
    let mut server = Vec::new();
    if choice[0] & 0x80 == 0 {
        f::push(f::SETTINGS, 0, 0, &[], &mut server);
    }
    server.extend_from_slice(input);
    let mut cuts = Stream::new(seed, 0, 0);
    let whole = hear(Wire::new(streams, seed), &server, || server.len());
    let pieces = hear(Wire::new(streams, seed), &server, || {
        usize::try_from(cuts.below(PIECE_BYTES_MAX)).unwrap_or(0) + 1
    });
    assert_eq!(whole, pieces);
});
