//! Decodes aws-chunked: `size[;chunk-signature=…] CRLF data CRLF … 0 CRLF [trailers] CRLF`.

use bytes::Bytes;

use super::auth::Chain;
use super::checksum::{Announced, Checksums};
use super::failure::{self, Failure};

/// Holds a size, a signature or a checksum; nothing longer belongs on a line of aws-chunked.
const LINE_BYTES_MAX: usize = 1 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Size,
    Data(u64),
    DataEnd,
    Trailer,
    Done,
}

/// A body on its way through its coding.
#[derive(Debug)]
pub struct AwsChunked<'a> {
    phase: Phase,
    length: u64,
    body: Vec<u8>,
    line: Vec<u8>,
    /// What came in the trailer, and what must.
    checksums: Checksums,
    announced: Announced,
    chain: Option<&'a mut Chain>,
}

impl<'a> AwsChunked<'a> {
    /// The chain follows where signatures are verified.
    pub fn new(length: u64, announced: Announced, chain: Option<&'a mut Chain>) -> Self {
        Self {
            phase: Phase::Size,
            length,
            body: Vec::with_capacity(usize::try_from(length).unwrap_or(0)),
            line: Vec::new(),
            checksums: Checksums::default(),
            announced,
            chain,
        }
    }

    /// Takes what came; `None` when it is malformed.
    pub fn push(&mut self, mut data: &[u8]) -> Option<()> {
        while !data.is_empty() {
            if let Phase::Data(left) = self.phase {
                let step = usize::try_from(left).map_or(data.len(), |left| left.min(data.len()));
                self.take_data(&data[..step], left - step as u64);
                data = &data[step..];
                continue;
            }
            let newline = data.iter().position(|&byte| byte == b'\n');
            let step = newline.map_or(data.len(), |at| at + 1);
            if self.phase == Phase::Done || self.line.len() + step > LINE_BYTES_MAX {
                return None;
            }
            self.line.extend_from_slice(&data[..step]);
            data = &data[step..];
            if newline.is_some() {
                let line = std::mem::take(&mut self.line);
                self.end_line(std::str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?)?;
            }
        }
        Some(())
    }

    fn take_data(&mut self, data: &[u8], left: u64) {
        self.body.extend_from_slice(data);
        self.phase = if left == 0 { Phase::DataEnd } else { Phase::Data(left) };
        if let Some(chain) = &mut self.chain {
            chain.data(data);
            if left == 0 {
                chain.end_chunk(false);
            }
        }
    }

    fn end_line(&mut self, line: &str) -> Option<()> {
        self.phase = match self.phase {
            Phase::Size => {
                let (digits, extension) = line.split_once(';').unwrap_or((line, ""));
                let signed = extension.is_empty() || extension.starts_with("chunk-signature=");
                let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let size = u64::from_str_radix(digits, 16).ok().filter(|_| hex && signed)?;
                if size > self.length - self.body.len() as u64 {
                    return None;
                }
                if let Some(chain) = &mut self.chain {
                    chain.begin_chunk(extension);
                    if size == 0 {
                        chain.end_chunk(true);
                    }
                }
                if size == 0 { Phase::Trailer } else { Phase::Data(size) }
            }
            Phase::DataEnd => line.is_empty().then_some(Phase::Size)?,
            _ if line.is_empty() => Phase::Done,
            _ => {
                self.take_trailer(line)?;
                Phase::Trailer
            }
        };
        Some(())
    }

    fn take_trailer(&mut self, line: &str) -> Option<()> {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        if let Some(chain) = &mut self.chain {
            chain.trailer(name, value);
        }
        self.checksums.take(name, value);
        Some(())
    }

    /// The decoded body and the trailer's checksums; an error when the coding has not come to its
    /// end, or not to the length that was announced, or lacks the checksum that was.
    pub fn finish(self) -> Result<(Bytes, Checksums), &'static Failure> {
        if self.phase != Phase::Done || self.body.len() as u64 != self.length {
            return Err(&failure::INCOMPLETE_BODY);
        }
        if !self.checksums.has(self.announced) {
            return Err(&failure::MALFORMED_TRAILER);
        }
        Ok((self.body.into(), self.checksums))
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderMap, HeaderValue};

    use super::*;

    #[test]
    fn aws_chunks_are_decoded_in_any_split() {
        let data =
            b"3;chunk-signature=00\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32: q\r\n\r\n";
        for step in 1..data.len() {
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-trailer", HeaderValue::from_static("x-amz-checksum-crc32"));
            let announced = Announced::of_headers(&headers);
            let mut decoder = AwsChunked::new(5, announced, None);
            for piece in data.chunks(step) {
                decoder.push(piece).unwrap();
            }
            let (body, checksums) = decoder.finish().unwrap();
            assert_eq!((&body[..], checksums.has(announced)), (&b"abcde"[..], true));
        }
    }

    #[test]
    fn malformed_aws_chunks_are_refused() {
        for data in [
            "",
            "zz\r\n",
            "2\r\nabX\r\n",
            "2\r\nab\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            "1\r\na\r\nffffffffffffffff\r\nbcd",
        ] {
            let mut decoder = AwsChunked::new(2, Announced::default(), None);
            let pushed = decoder.push(data.as_bytes());
            assert!(pushed.and_then(|()| decoder.finish().ok()).is_none(), "{data:?}");
        }
    }
}
