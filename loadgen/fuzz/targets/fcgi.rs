//! What any bytes do to the client half of FastCGI: the same ends, bodies and refusals whole and in
//! pieces, of requests one after the other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pausemark_engine::draw::Stream;
use pausemark_engine::fcgi::{Client, Ended};
use pausemark_engine::load::Load;
use pausemark_engine::parser::Malformed;
use pausemark_engine::plan::Plan;
use pausemark_engine::request::Form;
use pausemark_engine::scenario::Verb;
use std::sync::LazyLock;

const PIECE_BYTES_MAX: u64 = 40;
const REQUESTS_MAX: usize = 4;

static FORM: LazyLock<Form> = LazyLock::new(|| {
    let text = r#"{"schema": 1, "target": {"address": "127.0.0.1", "port": 9000, "path": "/"},
        "scenario": null, "rate_rps": 1, "warmup_s": 0, "duration_s": 1, "connections": 1,
        "seed": 1, "protocol": "fastcgi"}"#;
    Form::new(&Plan::parse(text).expect("a good plan"))
});

#[derive(Debug, Default, PartialEq)]
struct Heard {
    ended: Vec<Ended>,
    bodies: Vec<u8>,
    stderr_bytes: u64,
    fault: Option<Malformed>,
}

/// A client with a request in flight, and another once that has ended.
struct Wire {
    client: Client,
    bodyless: bool,
    heard: Heard,
}

impl Wire {
    fn new(bodyless: bool) -> Self {
        let mut wire = Self {
            client: Client::default(),
            bodyless,
            heard: Heard::default(),
        };
        wire.ask();
        wire
    }

    fn ask(&mut self) {
        let mut ask = Load::Path.ask(0);
        ask.verb = if self.bodyless { Verb::Head } else { Verb::Get };
        let mut out = Vec::new();
        let (rest, cost) = self.client.request(&FORM, &ask, None, 1 << 16, &mut out);
        assert!(rest.is_none() && cost == out.len() as u64);
    }

    /// Takes bytes as a worker does; false when there is no more to ask.
    fn take(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let (bodies, mut count) = (&mut self.heard.bodies, None);
            let fed = self.client.feed(bytes, self.bodyless, |offset, piece| {
                assert!(!piece.is_empty() && count.is_none_or(|next| next == offset));
                count = Some(offset + piece.len() as u64);
                bodies.extend_from_slice(piece);
            });
            self.heard.stderr_bytes += self.client.take_stderr_bytes();
            match fed {
                Err(fault) => {
                    self.heard.fault = Some(fault);
                    return false;
                }
                Ok((taken, None)) => {
                    assert_eq!(taken, bytes.len(), "nothing to say, and bytes left");
                    return true;
                }
                Ok((taken, Some(ended))) => {
                    bytes = &bytes[taken..];
                    self.end(ended);
                    if self.heard.ended.len() == REQUESTS_MAX {
                        return false;
                    }
                }
            }
        }
        true
    }

    fn end(&mut self, ended: Ended) {
        if let Ended::Answered(answer) = ended {
            assert!((200..1000).contains(&answer.status));
            assert!(answer.body_bytes < answer.wire_bytes);
            let silent = self.bodyless || matches!(answer.status, 204 | 304);
            let whole = answer.length.is_none_or(|n| n == answer.body_bytes);
            assert!(if silent {
                answer.body_bytes == 0
            } else {
                whole
            });
        }
        self.heard.ended.push(ended);
        self.ask();
    }
}

fn hear(bodyless: bool, mut input: &[u8], mut piece: impl FnMut() -> usize) -> Heard {
    let mut wire = Wire::new(bodyless);
    while !input.is_empty() {
        let (now, later) = input.split_at(piece().clamp(1, input.len()));
        input = later;
        if !wire.take(now) {
            break;
        }
    }
    wire.heard
}

// The first byte: whether HEAD is asked, and where the input is cut.
fuzz_target!(|data: &[u8]| {
    let Some((choice, input)) = data.split_first() else {
        return;
    };
    let bodyless = choice & 1 == 1;
    let mut cuts = Stream::new(u64::from(*choice), 0, 0);
    let whole = hear(bodyless, input, || input.len());
    let pieces = hear(bodyless, input, || {
        usize::try_from(cuts.below(PIECE_BYTES_MAX)).unwrap_or(0) + 1
    });
    match (whole.fault, pieces.fault) {
        (None, None) => assert_eq!(whole, pieces),
        // Which fault or limit is met first may depend on the pieces. A head in pieces is looked
        // at when a line ends: a fault in a line that never ends is not met.
        (Some(_), _) => assert!(pieces.ended.starts_with(&whole.ended)),
        (None, Some(fault)) => panic!("refused in pieces only: {fault:?}"),
    }
});
