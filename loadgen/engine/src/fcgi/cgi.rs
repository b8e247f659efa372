//! An answer as CGI has it (RFC 3875): header lines, among them `Status`, an empty line, and a body
//! that ends where its stream does.

use crate::held::Held;
use crate::parser::{content_length, decimal, Answer, Malformed, HEADERS_MAX};
use crate::scenario::BODY_BYTES_MAX;
use httparse::{Header, Status};

/// What of an answer has come. It is ready for the next one after each end.
#[derive(Debug, Default)]
pub(super) struct Reply {
    answer: Answer,
    headed: bool,
    held: Held,
}

/// What a head says: its status and its `Content-Length`.
type Said = (u16, Option<u64>);

impl Reply {
    /// Takes bytes of the answer. `body` gets each body slice with its offset.
    ///
    /// # Errors
    /// When they are not an answer, or a limit is exceeded.
    pub(super) fn take(
        &mut self,
        mut bytes: &[u8],
        bodyless: bool,
        body: &mut impl FnMut(u64, &[u8]),
    ) -> Result<(), Malformed> {
        while !self.headed && !bytes.is_empty() {
            let (taken, said) = self.held.head(bytes, parse_head)?;
            bytes = &bytes[taken..];
            if let Some((status, length)) = said {
                self.headed = true;
                (self.answer.status, self.answer.length) = (status, length);
            }
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let offset = self.answer.body_bytes;
        self.answer.body_bytes += bytes.len() as u64;
        if self.answer.body_bytes > self.body_bytes_max(bodyless) {
            return Err(Malformed("body longer than it may be"));
        }
        body(offset, bytes);
        Ok(())
    }

    fn body_bytes_max(&self, bodyless: bool) -> u64 {
        if bodyless || matches!(self.answer.status, 204 | 304) {
            return 0;
        }
        self.answer.length.unwrap_or(u64::MAX).min(BODY_BYTES_MAX)
    }

    /// The whole answer, whose stream has ended.
    ///
    /// # Errors
    /// When it has no head, or its body is shorter than that said.
    pub(super) fn end(&mut self, bodyless: bool) -> Result<Answer, Malformed> {
        if !self.headed {
            return Err(Malformed("the end before a head"));
        }
        let answer = self.answer;
        let silent = bodyless || matches!(answer.status, 204 | 304);
        if !silent && answer.length.is_some_and(|n| n != answer.body_bytes) {
            return Err(Malformed("body shorter than its Content-Length"));
        }
        (self.headed, self.answer) = (false, Answer::default());
        Ok(answer)
    }
}

/// A whole head: its length, and what it says.
fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Said)>, Malformed> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    match httparse::parse_headers(bytes, &mut headers) {
        Ok(Status::Complete((_, []))) => Err(Malformed("a head without a line")),
        Ok(Status::Complete((size, headers))) => Ok(Some((size, read_headers(headers)?))),
        Ok(Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => Err(Malformed("too many headers")),
        Err(_) => Err(Malformed("not a CGI head")),
    }
}

fn read_headers(headers: &[Header]) -> Result<Said, Malformed> {
    let (mut status, mut length, mut usual) = (None, None, 200);
    for header in headers {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("status") {
            if status.is_some() {
                return Err(Malformed("two Status"));
            }
            status = Some(read_status(header.value)?);
        } else if is("content-length") {
            length = Some(content_length(header.value, length)?);
        } else if is("transfer-encoding") {
            return Err(Malformed("Transfer-Encoding without HTTP"));
        } else if is("location") {
            usual = 302;
        }
    }
    Ok((status.unwrap_or(usual), length))
}

/// `404 Not Found`; the words may be missing.
fn read_status(value: &[u8]) -> Result<u16, Malformed> {
    let digits = value.split(|byte| *byte == b' ').next().unwrap_or(value);
    let number = decimal(digits).filter(|_| digits.len() == 3);
    let status = number.and_then(|number| u16::try_from(number).ok());
    status
        .filter(|status| (200..1000).contains(status))
        .ok_or(Malformed("status out of range"))
}
