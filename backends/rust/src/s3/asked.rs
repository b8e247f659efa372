//! What a request asks: its method, target and headers, as bytes that both stacks fill in.

use memchr::{memchr, memchr2};

use super::failure::{self, Failure};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Put,
    Post,
    Delete,
    #[default]
    Other,
}

impl Method {
    fn of(name: &[u8]) -> Self {
        match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"PUT" => Self::Put,
            b"POST" => Self::Post,
            b"DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// Where a piece of text stands.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    from: usize,
    to: usize,
}

/// Owns all of its text in buffers that keep their room, so that one which is used again allocates
/// no more. The names of bucket and key are empty where there is none.
#[derive(Debug, Default)]
pub struct Asked {
    pub method: Method,
    /// As it came, but for the names of headers, which are in lower case.
    text: Vec<u8>,
    method_name: Span,
    path: Span,
    raw_query: Span,
    headers: Vec<(Span, Span)>,
    decoded: String,
    bucket: Span,
    key: Span,
    query: Vec<(Span, Span)>,
    scratch: Vec<u8>,
}

impl Asked {
    /// Forgets the request before, and takes this one's first line.
    pub fn begin(&mut self, method: &[u8], path: &[u8], query: &[u8]) {
        self.text.clear();
        self.headers.clear();
        self.decoded.clear();
        self.query.clear();
        (self.bucket, self.key) = (Span::default(), Span::default());
        self.method = Method::of(method);
        self.method_name = self.keep(method);
        self.path = self.keep(path);
        self.raw_query = self.keep(query);
    }

    /// Takes a header; several of one name in their order.
    pub fn add_header(&mut self, name: &[u8], value: &[u8]) {
        let from = self.text.len();
        self.text.extend(name.iter().map(u8::to_ascii_lowercase));
        let name = Span { from, to: self.text.len() };
        let value = self.keep(value);
        self.headers.push((name, value));
    }

    fn keep(&mut self, part: &[u8]) -> Span {
        let from = self.text.len();
        self.text.extend_from_slice(part);
        Span { from, to: self.text.len() }
    }

    fn at(&self, span: Span) -> &[u8] {
        &self.text[span.from..span.to]
    }

    /// Decodes the target: bucket, key and parameters.
    pub fn route(&mut self) -> Result<(), &'static Failure> {
        let invalid = || &failure::INVALID_URI;
        let path = self.path;
        if self.at(path).first() != Some(&b'/') {
            return Err(invalid());
        }
        let names = Span { from: path.from + 1, to: path.to };
        let (bucket, key) = self.split(names, b'/');
        self.bucket = self.decode(bucket, false).ok_or_else(invalid)?;
        self.key = self.decode(key, false).ok_or_else(invalid)?;
        let mut rest = self.raw_query;
        while rest.from < rest.to {
            let (pair, behind) = self.split(rest, b'&');
            rest = behind;
            if pair.from == pair.to {
                continue;
            }
            let (name, value) = self.split(pair, b'=');
            let name = self.decode(name, true).ok_or_else(invalid)?;
            let value = self.decode(value, true).ok_or_else(invalid)?;
            self.query.push((name, value));
        }
        Ok(())
    }

    /// What stands before and behind the first separator.
    fn split(&self, span: Span, separator: u8) -> (Span, Span) {
        let found = memchr(separator, self.at(span));
        let end = found.map_or(span.to, |at| span.from + at);
        (Span { to: end, ..span }, Span { from: span.to.min(end + 1), to: span.to })
    }

    fn decode(&mut self, span: Span, plus_is_space: bool) -> Option<Span> {
        let text = &self.text[span.from..span.to];
        let from = self.decoded.len();
        let is_plain = memchr2(b'%', if plus_is_space { b'+' } else { b'%' }, text).is_none();
        let decoded = if is_plain {
            text
        } else {
            self.scratch.clear();
            decode_into(&mut self.scratch, text, plus_is_space)?;
            &self.scratch
        };
        self.decoded.push_str(std::str::from_utf8(decoded).ok()?);
        Some(Span { from, to: self.decoded.len() })
    }

    pub fn bucket(&self) -> &str {
        &self.decoded[self.bucket.from..self.bucket.to]
    }

    pub fn key(&self) -> &str {
        &self.decoded[self.key.from..self.key.to]
    }

    /// Every parameter, in the order of the request.
    pub fn query(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = |span: Span| &self.decoded[span.from..span.to];
        self.query.iter().map(move |(name, value)| (text(*name), text(*value)))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.query().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// As the client wrote it.
    pub fn method_name(&self) -> &str {
        std::str::from_utf8(self.at(self.method_name)).unwrap_or("")
    }

    /// Undecoded.
    pub fn path(&self) -> &[u8] {
        self.at(self.path)
    }

    /// Every header, in the order of the request.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let text = |span: Span| std::str::from_utf8(self.at(span)).unwrap_or("");
        self.headers.iter().map(move |(name, value)| (text(*name), self.at(*value)))
    }

    /// The values of a header, whose name is given in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.headers.iter().filter(|(known, _)| self.at(*known) == name.as_bytes());
        named.map(|(_, value)| self.at(*value))
    }

    /// The first of them.
    pub fn header<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The same as text; `None` also where it is none.
    pub fn text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        std::str::from_utf8(self.header(name)?).ok()
    }

    pub fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some()
    }

    /// What `Content-Length` says.
    pub fn length(&self) -> Option<u64> {
        self.text("content-length")?.parse().ok()
    }

    pub fn expects_continue(&self) -> bool {
        self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
    }

    pub fn has_body(&self) -> bool {
        self.is_chunked() || self.length().is_some_and(|length| length > 0)
    }
}

/// Decodes `%xx`, and `+` where it is a space; `None` when it is malformed.
fn decode_into(decoded: &mut Vec<u8>, text: &[u8], plus_is_space: bool) -> Option<()> {
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high << 4 | low).ok()?
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    Some(())
}

/// Decodes a path; `None` when it is malformed or not UTF-8.
pub fn decode_path(text: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    decode_into(&mut decoded, text, false)?;
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A request as a stack would hand it over.
    pub fn asked(method: &str, target: &str, headers: &[(&str, &str)]) -> Asked {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut asked = Asked::default();
        asked.begin(method.as_bytes(), path.as_bytes(), query.as_bytes());
        for (name, value) in headers {
            asked.add_header(name.as_bytes(), value.trim().as_bytes());
        }
        asked
    }

    #[test]
    fn targets_are_split_before_they_are_decoded() {
        let mut asked = asked("GET", "/b/a%2Fb+c//%20?prefix=a+b%2B&&acl", &[]);
        asked.route().unwrap();
        assert_eq!((asked.bucket(), asked.key()), ("b", "a/b+c// "));
        let query: Vec<_> = asked.query().collect();
        assert_eq!(query, [("prefix", "a b+"), ("acl", "")]);
    }

    #[test]
    fn malformed_escapes_are_refused() {
        for text in ["b", "/b/%", "/b/%2", "/b/%zz", "/b/%ff", "/b/k?a=%f"] {
            assert_eq!(asked("GET", text, &[]).route(), Err(&failure::INVALID_URI), "{text}");
        }
    }

    #[test]
    fn one_that_is_used_again_knows_nothing_of_the_request_before() {
        let mut asked = asked("PUT", "/b/k?a", &[("Content-Length", "1"), ("X-A", "1")]);
        asked.route().unwrap();
        assert!(asked.has_body() && asked.text("x-a") == Some("1"));
        asked.begin(b"GET", b"/", b"");
        asked.route().unwrap();
        assert_eq!((asked.bucket(), asked.key(), asked.method), ("", "", Method::Get));
        assert!(!asked.has_body() && asked.query().next().is_none());
        assert!(asked.headers().next().is_none());
    }
}
