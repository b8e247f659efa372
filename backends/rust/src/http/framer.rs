//! Follows one connection's requests from boundary to boundary.

use memchr::memchr;

use super::HEAD_BYTES_MAX;
use super::head::{BodyFraming, HeadFacts, field_name};

/// Limit of a chunk's size line and of each trailer line.
const LINE_BYTES_MAX: usize = 1 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Head,
    Length,
    ChunkSize,
    ChunkData,
    ChunkEnd,
    Trailer,
    /// The request must be answered with this status.
    Refused(u16),
    /// The body is malformed: hyper sees the end of input instead.
    Broken,
}

/// Approves bytes that hyper will frame in the same way; none after `Refused` and `Broken`.
#[derive(Debug)]
pub struct Framer {
    pub phase: Phase,
    /// Heads approved so far.
    pub heads: u64,
    /// Bytes of body or chunk still to come.
    pub left: u64,
    trailer_bytes: usize,
    head: HeadFacts,
}

impl Framer {
    pub fn new() -> Self {
        Self { phase: Phase::Head, heads: 0, left: 0, trailer_bytes: 0, head: HeadFacts::default() }
    }

    /// How many bytes from the start of `data` may pass. Fewer than all means that the rest is an
    /// unfinished line or head: call again with the same rest and more behind it.
    pub fn advance(&mut self, data: &[u8]) -> usize {
        let mut passed = 0;
        loop {
            let step = self.step(&data[passed..]);
            if step == 0 {
                return passed;
            }
            passed += step;
        }
    }

    /// The same for one step: a head, a line, or bytes of the body's content.
    pub fn step(&mut self, data: &[u8]) -> usize {
        match self.phase {
            Phase::Head => self.take_head(data),
            Phase::Length | Phase::ChunkData => self.take_body(data.len()),
            Phase::ChunkSize | Phase::ChunkEnd | Phase::Trailer => self.take_line(data),
            Phase::Refused(_) | Phase::Broken => 0,
        }
    }

    /// A head was read elsewhere: this is how its body is framed.
    pub fn begin_body(&mut self, framing: &BodyFraming) {
        self.phase = match *framing {
            BodyFraming::Chunked => Phase::ChunkSize,
            BodyFraming::Length(0) => Phase::Head,
            BodyFraming::Length(length) => {
                self.left = length;
                Phase::Length
            }
        };
    }

    fn take_head(&mut self, data: &[u8]) -> usize {
        loop {
            let start = self.head.line_start;
            let Some(newline) = memchr(b'\n', &data[start..]) else {
                if data.len() > HEAD_BYTES_MAX {
                    self.phase = Phase::Refused(431);
                }
                return 0;
            };
            let next = start + newline + 1;
            if next > HEAD_BYTES_MAX {
                self.phase = Phase::Refused(431);
                return 0;
            }
            match data[start..next - 1].strip_suffix(b"\r") {
                Some([]) => return self.end_head(next),
                Some(line) if self.head.take(line).is_some() => self.head.line_start = next,
                _ => {
                    self.phase = Phase::Refused(400);
                    return 0;
                }
            }
        }
    }

    fn end_head(&mut self, size: usize) -> usize {
        let Some(framing) = std::mem::take(&mut self.head).complete() else {
            self.phase = Phase::Refused(400);
            return 0;
        };
        self.begin_body(&framing);
        self.heads += 1;
        size
    }

    fn take_body(&mut self, available: usize) -> usize {
        let step = usize::try_from(self.left).map_or(available, |left| left.min(available));
        self.left -= step as u64;
        if self.left == 0 {
            self.phase = match self.phase {
                Phase::ChunkData => Phase::ChunkEnd,
                _ => Phase::Head,
            };
        }
        step
    }

    /// Reads a chunk's size line, the empty line behind a chunk's data, or a trailer line.
    fn take_line(&mut self, data: &[u8]) -> usize {
        let Some(newline) = memchr(b'\n', data) else {
            if data.len() > LINE_BYTES_MAX {
                self.phase = Phase::Broken;
            }
            return 0;
        };
        let line = data[..newline].strip_suffix(b"\r");
        let line = line.filter(|line| line.len() <= LINE_BYTES_MAX && !line.contains(&b'\r'));
        if let Some(next) = line.and_then(|line| self.end_line(line)) {
            self.phase = next;
            return newline + 1;
        }
        self.phase = Phase::Broken;
        0
    }

    fn end_line(&mut self, line: &[u8]) -> Option<Phase> {
        match self.phase {
            Phase::ChunkEnd => line.is_empty().then_some(Phase::ChunkSize),
            Phase::ChunkSize => {
                self.left = chunk_size(line)?;
                self.trailer_bytes = 0;
                Some(if self.left == 0 { Phase::Trailer } else { Phase::ChunkData })
            }
            _ if line.is_empty() => Some(Phase::Head),
            _ => {
                self.trailer_bytes += line.len();
                field_name(line).filter(|_| self.trailer_bytes <= HEAD_BYTES_MAX)?;
                Some(Phase::Trailer)
            }
        }
    }
}

/// Reads `1f` or `1f;extension`; 15 digits hold every size that can be meant.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|&byte| byte == b';').next()?;
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    digits.iter().try_fold(0, |size, &digit| {
        let value = char::from(digit).to_digit(16)?;
        Some(size << 4 | u64::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(data: &[u8]) -> (usize, Phase) {
        let mut framer = Framer::new();
        (framer.advance(data), framer.phase)
    }

    #[test]
    fn whole_requests_pass_in_one_piece_and_byte_by_byte() {
        let data = b"PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
            PUT /b/k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
            3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(judge(data), (data.len(), Phase::Head));
        let mut framer = Framer::new();
        let mut passed = 0;
        for end in 1..=data.len() {
            passed += framer.advance(&data[passed..end]);
        }
        assert_eq!((passed, framer.heads), (data.len(), 3));
    }

    #[test]
    fn ambiguous_heads_are_refused() {
        for lines in [
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: 1\n",
            "Content-Length : 1\r\n",
            "Host: b\r\n",
            " folded: 1\r\n",
        ] {
            let data = format!("PUT / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
            assert_eq!(judge(data.as_bytes()), (0, Phase::Refused(400)), "{lines:?}");
        }
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(HEAD_BYTES_MAX));
        assert_eq!(judge(long.as_bytes()), (0, Phase::Refused(431)));
    }

    #[test]
    fn malformed_chunks_break_the_body() {
        let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for body in ["zz\r\n", "\r\n", "3\nabc", "3\r\nabcd\r\n", "1 \r\n", "0\r\nno colon\r\n"] {
            let data = format!("{head}{body}");
            assert_eq!(judge(data.as_bytes()).1, Phase::Broken, "{body:?}");
        }
    }
}
