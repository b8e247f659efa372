//! An incremental parser of HTTP/1.1 answers: bytes in, statuses and body slices out; no I/O, a
//! limit on everything.

use crate::held::Held;
use crate::scenario::BODY_BYTES_MAX;
use httparse::{Header, ParserConfig, Status};
use std::mem::MaybeUninit;

pub const HEAD_BYTES_MAX: usize = 64 << 10;
pub(crate) const HEADERS_MAX: usize = 96;
/// A size, its extensions and the line's end.
const CHUNK_LINE_BYTES_MAX: usize = 4096;
const INTERIM_MAX: u32 = 16;

/// One whole answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// What `Content-Length` said, whether or not there was a body.
    pub length: Option<u64>,
    pub body_bytes: u64,
    /// Head, framing and body, interim answers included.
    pub wire_bytes: u64,
    /// Whether the connection may carry another request.
    pub keep_alive: bool,
}

/// Why the bytes are not an answer; a short text for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of the body are to come, then the answer is whole.
    Length(u64),
    ChunkLine,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
    /// The body ends with the stream.
    UntilClose,
}

/// How a head says that the body ends.
enum Framing {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// The state of one connection's current answer. It is ready for the next one after each whole one.
#[derive(Debug)]
pub struct Parser {
    state: State,
    answer: Answer,
    interim: u32,
    /// A head, chunk line or trailer that came in pieces.
    held: Held,
    trailer_bytes: usize,
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            state: State::Head,
            answer: Answer::default(),
            interim: 0,
            held: Held::default(),
            trailer_bytes: 0,
        }
    }
}

impl Parser {
    /// Takes bytes up to the end of the current answer; returns how many, and the answer if it is
    /// whole.
    /// `bodyless` says that the request was a HEAD. `body` gets each body slice with its offset.
    ///
    /// # Errors
    /// When the bytes are not an answer, or a limit is exceeded. The parser is then of no more use.
    pub fn feed(
        &mut self,
        input: &[u8],
        bodyless: bool,
        mut body: impl FnMut(u64, &[u8]),
    ) -> Result<(usize, Option<Answer>), Malformed> {
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            let (taken, whole) = match self.state {
                State::Head => self.head(rest, bodyless)?,
                State::Length(left) => self.length(rest, left, &mut body),
                State::ChunkData(left) => self.chunk_data(rest, left, &mut body),
                State::UntilClose => {
                    self.count_body(rest, &mut body);
                    if self.answer.body_bytes > BODY_BYTES_MAX {
                        return Err(Malformed("body over the limit"));
                    }
                    (rest.len(), false)
                }
                State::ChunkLine | State::ChunkEnd | State::Trailer => self.line(rest)?,
            };
            at += taken;
            self.answer.wire_bytes += taken as u64;
            if whole {
                return Ok((at, Some(self.finish())));
            }
        }
        Ok((at, None))
    }

    /// The stream ended: the answer, if its body was delimited by that.
    pub fn end(&mut self) -> Option<Answer> {
        (self.state == State::UntilClose).then(|| self.finish())
    }

    fn finish(&mut self) -> Answer {
        self.state = State::Head;
        self.interim = 0;
        self.trailer_bytes = 0;
        std::mem::take(&mut self.answer)
    }

    fn count_body(&mut self, bytes: &[u8], body: &mut impl FnMut(u64, &[u8])) {
        body(self.answer.body_bytes, bytes);
        self.answer.body_bytes += bytes.len() as u64;
    }

    fn length(
        &mut self,
        rest: &[u8],
        left: u64,
        body: &mut impl FnMut(u64, &[u8]),
    ) -> (usize, bool) {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        self.count_body(&rest[..take], body);
        let left = left - take as u64;
        self.state = State::Length(left);
        (take, left == 0)
    }

    fn chunk_data(
        &mut self,
        rest: &[u8],
        left: u64,
        body: &mut impl FnMut(u64, &[u8]),
    ) -> (usize, bool) {
        let (take, whole) = self.length(rest, left, body);
        self.state = if whole {
            State::ChunkEnd
        } else {
            State::ChunkData(left - take as u64)
        };
        (take, false)
    }

    fn head(&mut self, rest: &[u8], bodyless: bool) -> Result<(usize, bool), Malformed> {
        // Of empty lines before a head there is no end, and each would be looked at again.
        if self.held.is_empty() && matches!(rest[0], b'\r' | b'\n') {
            return Err(Malformed("an empty line before a head"));
        }
        let mut held = std::mem::take(&mut self.held);
        let taken = held.head(rest, |bytes| self.parse_head(bytes, bodyless));
        self.held = held;
        taken.map(|(taken, whole)| (taken, whole == Some(true)))
    }

    /// A whole head: its length, and whether the answer is whole with it.
    fn parse_head(
        &mut self,
        bytes: &[u8],
        bodyless: bool,
    ) -> Result<Option<(usize, bool)>, Malformed> {
        let mut headers = [const { MaybeUninit::<Header>::uninit() }; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut []);
        let parsed = ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            bytes,
            &mut headers,
        );
        let size = match parsed {
            Ok(Status::Complete(size)) => size,
            Ok(Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(Malformed("too many headers")),
            Err(_) => return Err(Malformed("not an HTTP/1 head")),
        };
        let status = response.code.unwrap_or(0);
        if (100..200).contains(&status) {
            self.interim += 1;
            if status == 101 || self.interim > INTERIM_MAX {
                return Err(Malformed("unexpected interim answer"));
            }
            return Ok(Some((size, false)));
        }
        if !(200..1000).contains(&status) {
            return Err(Malformed("status out of range"));
        }
        let old = response.version == Some(0);
        let framing = self.read_headers(status, old, response.headers)?;
        let silent = bodyless || status == 204 || status == 304;
        let framing = if silent { Framing::None } else { framing };
        Ok(Some((size, self.begin_body(&framing)?)))
    }

    fn read_headers(
        &mut self,
        status: u16,
        old: bool,
        headers: &[Header],
    ) -> Result<Framing, Malformed> {
        let mut length = None;
        let mut coded = false;
        let mut keep_alive = !old;
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                length = Some(content_length(header.value, length)?);
            } else if is("transfer-encoding") {
                if coded || !header.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Malformed("unknown Transfer-Encoding"));
                }
                coded = true;
            } else if is("connection") {
                let says = |word: &str| {
                    let mut words = header.value.split(|byte| *byte == b',');
                    words.any(|found| found.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
                };
                keep_alive = (keep_alive || says("keep-alive")) && !says("close");
            }
        }
        if coded && length.is_some() {
            return Err(Malformed("both Content-Length and Transfer-Encoding"));
        }
        self.answer = Answer {
            status,
            length,
            keep_alive,
            ..self.answer
        };
        Ok(match (coded, length) {
            (true, _) => Framing::Chunked,
            (false, Some(length)) => Framing::Length(length),
            (false, None) => Framing::UntilClose,
        })
    }

    fn begin_body(&mut self, framing: &Framing) -> Result<bool, Malformed> {
        match framing {
            Framing::None | Framing::Length(0) => return Ok(true),
            Framing::Length(length) if *length > BODY_BYTES_MAX => {
                return Err(Malformed("body over the limit"));
            }
            Framing::Length(length) => self.state = State::Length(*length),
            Framing::Chunked => self.state = State::ChunkLine,
            Framing::UntilClose => {
                self.answer.keep_alive = false;
                self.state = State::UntilClose;
            }
        }
        Ok(false)
    }

    /// A chunk's size, its end, or a trailer: all are lines that end in CR LF.
    fn line(&mut self, rest: &[u8]) -> Result<(usize, bool), Malformed> {
        let (taken, ends) = self.held.line(rest, CHUNK_LINE_BYTES_MAX)?;
        if !ends {
            return Ok((taken, false));
        }
        let held = self.held.take();
        let line = held
            .strip_suffix(b"\r\n")
            .ok_or(Malformed("line without CR LF"))?;
        let whole = self.take_line(line)?;
        self.held.give_back(held);
        Ok((taken, whole))
    }

    fn take_line(&mut self, line: &[u8]) -> Result<bool, Malformed> {
        match self.state {
            State::ChunkLine => {
                let size = line.split(|byte| *byte == b';').next().unwrap_or(line);
                let size = hexadecimal(size.trim_ascii_end()).ok_or(Malformed("bad chunk size"))?;
                if size > BODY_BYTES_MAX - self.answer.body_bytes.min(BODY_BYTES_MAX) {
                    return Err(Malformed("body over the limit"));
                }
                self.state = if size == 0 {
                    State::Trailer
                } else {
                    State::ChunkData(size)
                };
                Ok(false)
            }
            State::ChunkEnd if line.is_empty() => {
                self.state = State::ChunkLine;
                Ok(false)
            }
            State::ChunkEnd => Err(Malformed("chunk longer than its size")),
            _ => {
                self.trailer_bytes += line.len() + 2;
                if self.trailer_bytes > HEAD_BYTES_MAX {
                    return Err(Malformed("trailers over the limit"));
                }
                Ok(line.is_empty())
            }
        }
    }
}

/// What a `Content-Length` says, which no `earlier` one may contradict.
pub(crate) fn content_length(value: &[u8], earlier: Option<u64>) -> Result<u64, Malformed> {
    let length = decimal(value).ok_or(Malformed("bad Content-Length"))?;
    if earlier.is_some_and(|earlier| earlier != length) {
        return Err(Malformed("two different Content-Length"));
    }
    Ok(length)
}

pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + u64::from(byte - b'0'))
    })
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        char::from(*byte)
            .to_digit(16)
            .map(|digit| value * 16 + u64::from(digit))
    })
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
