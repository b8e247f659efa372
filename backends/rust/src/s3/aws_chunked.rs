//! Decodes aws-chunked: `size[;chunk-signature=…] CRLF data CRLF … 0 CRLF [trailers] CRLF`.

use super::auth::{Chain, Proof};
use super::checksum::Checksums;
use super::failure::{self, Failure};

/// Holds a size, a signature or a checksum; nothing longer belongs on a line of aws-chunked.
const LINE_BYTES_MAX: usize = 1 << 10;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    Trailer,
    Done,
}

/// A body on its way through its coding.
#[derive(Debug, Default)]
pub struct AwsChunked {
    phase: Phase,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// What came in the trailer.
    pub checksums: Checksums,
}

impl AwsChunked {
    /// Takes what came, and hands the content on. The proof follows where signatures are verified.
    pub fn push(
        &mut self,
        mut data: &[u8],
        proof: &mut Option<Proof>,
        mut content: impl FnMut(&[u8]) -> Result<(), &'static Failure>,
    ) -> Result<(), &'static Failure> {
        let malformed = || &failure::INCOMPLETE_BODY;
        while !data.is_empty() {
            let mut chain = proof.as_mut().and_then(Proof::chain);
            if let Phase::Data(left) = self.phase {
                let step = usize::try_from(left).map_or(data.len(), |left| left.min(data.len()));
                content(&data[..step])?;
                self.end_data(&data[..step], left - step as u64, chain);
                data = &data[step..];
                continue;
            }
            let newline = data.iter().position(|&byte| byte == b'\n');
            let step = newline.map_or(data.len(), |at| at + 1);
            if self.phase == Phase::Done || self.line.len() + step > LINE_BYTES_MAX {
                return Err(malformed());
            }
            let (now, later) = data.split_at(step);
            data = later;
            if newline.is_some() && self.line.is_empty() {
                self.end_line(now, &mut chain).ok_or_else(malformed)?;
                continue;
            }
            self.line.extend_from_slice(now);
            if newline.is_some() {
                let line = std::mem::take(&mut self.line);
                self.end_line(&line, &mut chain).ok_or_else(malformed)?;
            }
        }
        Ok(())
    }

    fn end_data(&mut self, data: &[u8], left: u64, chain: Option<&mut Chain>) {
        self.phase = if left == 0 { Phase::DataEnd } else { Phase::Data(left) };
        if let Some(chain) = chain {
            chain.data(data);
            if left == 0 {
                chain.end_chunk(false);
            }
        }
    }

    fn end_line(&mut self, line: &[u8], chain: &mut Option<&mut Chain>) -> Option<()> {
        let line = std::str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?;
        self.phase = match self.phase {
            Phase::Size => {
                let (digits, extension) = line.split_once(';').unwrap_or((line, ""));
                let signed = extension.is_empty() || extension.starts_with("chunk-signature=");
                let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let size = u64::from_str_radix(digits, 16).ok().filter(|_| hex && signed)?;
                if let Some(chain) = chain {
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
                self.take_trailer(line, chain)?;
                Phase::Trailer
            }
        };
        Some(())
    }

    fn take_trailer(&mut self, line: &str, chain: &mut Option<&mut Chain>) -> Option<()> {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        if let Some(chain) = chain {
            chain.trailer(name, value);
        }
        self.checksums.take(name, value);
        Some(())
    }

    /// Whether the coding has come to its end.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::asked::tests::asked;
    use crate::s3::checksum::Announced;

    /// The content, if the coding did not break.
    fn decoded(decoder: &mut AwsChunked, pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        for piece in pieces {
            let mut keep = |content: &[u8]| {
                body.extend_from_slice(content);
                Ok(())
            };
            decoder.push(piece, &mut None, &mut keep).ok()?;
        }
        Some(body)
    }

    #[test]
    fn aws_chunks_are_decoded_in_any_split() {
        let data =
            b"3;chunk-signature=00\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32: q\r\n\r\n";
        for step in 1..data.len() {
            let asked = asked("PUT", "/b/k", &[("x-amz-trailer", "x-amz-checksum-crc32")]);
            let mut decoder = AwsChunked::default();
            let pieces: Vec<_> = data.chunks(step).collect();
            assert_eq!(decoded(&mut decoder, &pieces).unwrap(), b"abcde");
            assert!(decoder.is_done() && decoder.checksums.has(Announced::of_headers(&asked)));
        }
    }

    #[test]
    fn malformed_aws_chunks_are_refused() {
        for data in ["", "zz\r\n", "2\r\nabX\r\n", "2\r\nab\r\n", "ffffffffffffffff\r\nbcd"] {
            let mut decoder = AwsChunked::default();
            let broken = decoded(&mut decoder, &[data.as_bytes()]).is_none();
            assert!(broken || !decoder.is_done(), "{data:?}");
        }
    }
}
