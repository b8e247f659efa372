//! What any bytes do to the parser of HTTP/1.1 answers: the same answers, bodies and refusals
//! whole and in pieces, and progress with each byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pausemark_engine::draw::Stream;
use pausemark_engine::parser::{Answer, Malformed, Parser};

/// Longer than any piece that a limit looks at: one piece, then.
const PIECE_BYTES_MAX: u64 = 40;

#[derive(Debug, Default, PartialEq)]
struct Parsed {
    answers: Vec<(Answer, Vec<u8>)>,
    /// Of the answer that was not whole.
    body: Vec<u8>,
    end: Option<Answer>,
    fault: Option<Malformed>,
}

/// Feeds `input` in the pieces that `piece` says.
fn parse(mut input: &[u8], bodyless: bool, mut piece: impl FnMut() -> usize) -> Parsed {
    let (mut parser, mut parsed) = (Parser::default(), Parsed::default());
    while !input.is_empty() {
        let (mut now, later) = input.split_at(piece().clamp(1, input.len()));
        input = later;
        while !now.is_empty() {
            let body = &mut parsed.body;
            let fed = parser.feed(now, bodyless, |offset, bytes| {
                assert_eq!(offset, body.len() as u64, "a gap in the body");
                body.extend_from_slice(bytes);
            });
            let (taken, answer) = match fed {
                Ok(fed) => fed,
                Err(fault) => {
                    parsed.fault = Some(fault);
                    return parsed;
                }
            };
            assert!(
                taken > 0 && taken <= now.len(),
                "took {taken} of {}",
                now.len()
            );
            now = &now[taken..];
            if let Some(answer) = answer {
                assert_eq!(answer.body_bytes, parsed.body.len() as u64);
                parsed
                    .answers
                    .push((answer, std::mem::take(&mut parsed.body)));
            }
        }
    }
    parsed.end = parser.end();
    parsed
}

// The first four bytes: whether the request was a HEAD, and where the input is cut.
fuzz_target!(|data: &[u8]| {
    let Some((choice, input)) = data.split_first_chunk::<4>() else {
        return;
    };
    let bodyless = choice[0] & 1 == 1;
    let mut cuts = Stream::new(u64::from(u32::from_le_bytes(*choice)), 0, 0);
    let whole = parse(input, bodyless, || input.len());
    let pieces = parse(input, bodyless, || {
        usize::try_from(cuts.below(PIECE_BYTES_MAX)).unwrap_or(0) + 1
    });
    match (whole.fault, pieces.fault) {
        (None, None) => assert_eq!(whole, pieces),
        // Which fault or limit is met first may depend on the pieces. A head in pieces is looked
        // at when a line ends: a fault in a line that never ends is not met.
        (Some(_), _) => assert_eq!(whole.answers, pieces.answers),
        (None, Some(fault)) => panic!("refused in pieces only: {fault:?}"),
    }
});
