//! What the lines of one request head say about its framing.

/// Facts gathered line by line; `complete` judges them once the empty line has come.
#[derive(Debug, Default)]
pub struct HeadFacts {
    /// Offset of the first line that is not yet taken.
    pub line_start: usize,
    is_begun: bool,
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
}

/// How the body behind a head is framed.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyFraming {
    Length(u64),
    Chunked,
}

impl HeadFacts {
    /// Takes one line without its CRLF; `None` means that the request must be refused.
    pub fn take(&mut self, line: &[u8]) -> Option<()> {
        if !self.is_begun {
            self.is_begun = true;
            return request_line(line);
        }
        let colon = field_name(line)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if has_control(value) {
            return None;
        }
        self.take_header(name, value)
    }

    /// Takes a header that is well formed, its value trimmed.
    pub fn take_header(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            return self.take_length(value);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            // Only chunked, only once: hyper decodes nothing else either.
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return None;
            }
            self.chunked = true;
        }
        Some(())
    }

    fn take_length(&mut self, value: &[u8]) -> Option<()> {
        if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let length = value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        if self.length.is_some_and(|before| before != length) {
            return None;
        }
        self.length = Some(length);
        Some(())
    }

    /// The framing of the body, or `None` when the head as a whole must be refused.
    pub fn complete(&self) -> Option<BodyFraming> {
        if self.hosts != 1 || (self.chunked && self.length.is_some()) {
            return None;
        }
        Some(if self.chunked {
            BodyFraming::Chunked
        } else {
            BodyFraming::Length(self.length.unwrap_or(0))
        })
    }
}

/// Whether there is a control character other than a tab.
#[expect(clippy::needless_bitwise_bool, reason = "lazy operators do one byte at a time")]
fn has_control(value: &[u8]) -> bool {
    let is_control = |byte: u8| (byte < b' ') & (byte != b'\t') | (byte == 0x7f);
    value.iter().fold(false, |found, &byte| found | is_control(byte))
}

/// Accepts `METHOD target HTTP/1.0` and 1.1; what the target means is hyper's affair.
fn request_line(line: &[u8]) -> Option<()> {
    let method = line.iter().position(|&byte| !is_token(byte))?;
    let rest = line[method..].strip_prefix(b" ")?;
    let target = rest.iter().position(|&byte| byte <= b' ' || byte == 0x7f)?;
    let version = rest[target..].strip_prefix(b" ")?;
    let good = method > 0 && target > 0 && (version == b"HTTP/1.1" || version == b"HTTP/1.0");
    good.then_some(())
}

/// The length of a field's name. A folded line, a missing colon and a space before it all end the
/// name elsewhere.
pub fn field_name(line: &[u8]) -> Option<usize> {
    let colon = line.iter().position(|&byte| !is_token(byte))?;
    (colon > 0 && line[colon] == b':').then_some(colon)
}

/// What a method or a header name may consist of (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    const TOKENS: [bool; 256] = {
        let (mut tokens, mut byte) = ([false; 256], 0_u8);
        while byte < 0x80 {
            tokens[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let (marks, mut at) = (b"!#$%&'*+-.^_`|~", 0);
        while at < marks.len() {
            tokens[marks[at] as usize] = true;
            at += 1;
        }
        tokens
    };
    TOKENS[usize::from(byte)]
}
