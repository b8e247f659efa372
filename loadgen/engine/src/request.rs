//! Requests as bytes: each is rendered into one buffer, so that it leaves in one write.

use crate::body;
use crate::key::{push_number, Key};
use crate::load::Ask;
use crate::plan::Plan;
use crate::scenario::{Operation, Verb};
use crate::signing::{self, Content, Request, Stamp};

/// The part of a large body that is not rendered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    pub index: u64,
    pub offset: u64,
    pub size: u64,
}

impl Rest {
    /// The whole body that a PUT carries.
    #[must_use]
    pub fn whole(ask: &Ask) -> Self {
        Self {
            index: ask.index,
            offset: 0,
            size: ask.length,
        }
    }

    /// Renders up to `limit` more bytes into `out`; what is left after that.
    #[must_use]
    pub fn render(self, limit: usize, out: &mut Vec<u8>) -> Option<Self> {
        let left = self.size - self.offset;
        let take = usize::try_from(left).unwrap_or(limit).min(limit);
        let at = out.len();
        out.resize(at + take, 0);
        body::fill(self.index, self.offset, &mut out[at..]);
        let offset = self.offset + take as u64;
        (offset < self.size).then_some(Self { offset, ..self })
    }
}

/// Renders requests of one plan.
#[derive(Clone, Debug)]
pub struct Form {
    /// `/bucket/`, or the whole path of `target.path`.
    path: String,
    /// The target of a list, and what its keys begin with.
    list: Vec<u8>,
    prefix: Option<Key>,
    key: Option<Key>,
    /// The Host, or the authority.
    host: String,
    /// From the version to the end of the Host line.
    tail: Vec<u8>,
    /// Of `target.path`: path and query as a signature has them. Objects' are as they are sent.
    canonical: (Vec<u8>, Vec<u8>),
}

impl Form {
    /// Whatever stays the same from request to request.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let host = plan
            .target
            .host
            .clone()
            .unwrap_or_else(|| plan.address().to_string());
        let tail = format!(" HTTP/1.1\r\nHost: {host}\r\n").into_bytes();
        let Some(scenario) = plan.scenario.as_ref().filter(|_| plan.path().is_none()) else {
            let path = plan.path().unwrap_or("/").to_owned();
            return Self {
                canonical: signing::canonical(&path),
                path,
                list: Vec::new(),
                prefix: None,
                key: None,
                host,
                tail,
            };
        };
        let bucket = &scenario.objects.bucket;
        let lists = |one: &&Operation| one.name == Verb::List;
        let list = scenario.operations.iter().find(lists);
        let keys = list.and_then(|list| list.keys).unwrap_or(100);
        let prefix = list.and_then(|list| list.prefix.as_ref());
        let objects = &scenario.objects;
        let begun = if prefix.is_some() { "&prefix=" } else { "" };
        Self {
            path: format!("/{bucket}/"),
            list: format!("/{bucket}?list-type=2&max-keys={keys}{begun}").into_bytes(),
            prefix: prefix.and_then(|one| Key::of_prefix("prefix", one, objects).ok()),
            key: Key::of_object(objects).ok(),
            host,
            tail,
            canonical: Default::default(),
        }
    }

    /// Appends a request; of a body at most `limit` bytes. What is left of the body, if any.
    pub fn render(&self, ask: &Ask, limit: usize, out: &mut Vec<u8>) -> Option<Rest> {
        self.head(ask, None, out);
        self.body(ask, limit, out)
    }

    /// Appends a request's head.
    pub fn head(&self, ask: &Ask, stamp: Option<&Stamp>, out: &mut Vec<u8>) {
        out.extend_from_slice(method(ask.verb));
        out.push(b' ');
        self.target(ask, out);
        out.extend_from_slice(&self.tail);
        push_stamp(stamp, out);
        match ask.verb {
            Verb::Put => {
                out.extend_from_slice(b"Content-Length: ");
                push_number(ask.length, 0, out);
                out.extend_from_slice(b"\r\n");
            }
            Verb::Range => {
                out.extend_from_slice(b"Range: ");
                self.range(ask, out);
                out.extend_from_slice(b"\r\n");
            }
            _ => {}
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Appends at most `limit` bytes of a request's body. What is left of it, if any.
    #[allow(clippy::unused_self)] // a part of the form like the others
    pub fn body(&self, ask: &Ask, limit: usize, out: &mut Vec<u8>) -> Option<Rest> {
        if ask.verb != Verb::Put {
            return None;
        }
        Rest::whole(ask).render(limit, out)
    }

    /// Appends a request's target.
    pub fn target(&self, ask: &Ask, out: &mut Vec<u8>) {
        if ask.verb == Verb::List {
            out.extend_from_slice(&self.list);
            if let Some(prefix) = &self.prefix {
                let at = out.len();
                prefix.render(ask.index, out);
                escape_slashes(at, out);
            }
            return;
        }
        out.extend_from_slice(self.path.as_bytes());
        if let Some(key) = &self.key {
            key.render(ask.index, out);
        }
    }

    /// What is signed of a request, but for its content; `text` holds its target.
    #[must_use]
    pub fn signed<'a>(&'a self, ask: &Ask, content: Content, text: &'a [u8]) -> Request<'a> {
        let mark = text.iter().position(|byte| *byte == b'?');
        let (path, query) = match (&self.key, mark) {
            (None, _) => (&*self.canonical.0, &*self.canonical.1),
            (Some(_), Some(mark)) => (&text[..mark], &text[mark + 1..]),
            (Some(_), None) => (text, &b""[..]),
        };
        Request {
            method: method(ask.verb),
            path,
            query,
            content,
        }
    }

    /// The Host.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        self.host.as_bytes()
    }

    /// The bucket's target.
    #[must_use]
    pub fn bucket(&self) -> &[u8] {
        self.path.trim_end_matches('/').as_bytes()
    }

    /// Appends the value of a Range.
    #[allow(clippy::unused_self)] // a part of the form like the others
    pub fn range(&self, ask: &Ask, out: &mut Vec<u8>) {
        out.extend_from_slice(b"bytes=");
        push_number(ask.offset, 0, out);
        out.push(b'-');
        push_number(ask.offset + ask.length - 1, 0, out);
    }

    /// Appends a request of the bucket itself, without a body.
    pub fn of_bucket(&self, verb: Verb, stamp: Option<&Stamp>, out: &mut Vec<u8>) {
        out.extend_from_slice(method(verb));
        out.push(b' ');
        out.extend_from_slice(self.bucket());
        out.extend_from_slice(&self.tail);
        push_stamp(stamp, out);
        if verb == Verb::Put {
            out.extend_from_slice(b"Content-Length: 0\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// A slash in a query's value is escaped where it is signed; so it is sent like that as well.
fn escape_slashes(mut at: usize, out: &mut Vec<u8>) {
    while let Some(found) = memchr::memchr(b'/', &out[at..]) {
        out.splice(at + found..=at + found, *b"%2F");
        at += found + 3;
    }
}

/// An operation's method.
#[must_use]
pub fn method(verb: Verb) -> &'static [u8] {
    match verb {
        Verb::Get | Verb::Range | Verb::List => b"GET",
        Verb::Put => b"PUT",
        Verb::Head => b"HEAD",
        Verb::Delete => b"DELETE",
    }
}

fn push_stamp(stamp: Option<&Stamp>, out: &mut Vec<u8>) {
    let Some(stamp) = stamp else {
        return;
    };
    let parts: [(&[u8], &[u8]); 3] = [
        (b"x-amz-date: ", &stamp.date),
        (b"x-amz-content-sha256: ", stamp.content.text()),
        (b"Authorization: ", &stamp.authorization),
    ];
    for (name, value) in parts {
        out.extend_from_slice(name);
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(path: Option<&str>) -> Form {
        let plan = serde_json::json!({"schema": 1,
            "target": {"address": "::1", "port": 9000, "path": path},
            "scenario": {"schema": 1, "name": "s",
                "objects": {"bucket": "bench", "count": 10, "size_bytes": 20,
                    "key": "{group}/o-{index:03d}", "group": 5},
                "operations": [{"name": "list", "weight": 1, "status": 200, "keys": 7,
                    "prefix": "{group}/"}],
                "check": {"digest_one_in": 0}},
            "rate_rps": 1, "warmup_s": 0, "duration_s": 1, "connections": 1, "seed": 1});
        Form::new(&Plan::parse(&plan.to_string()).unwrap())
    }

    fn text(form: &Form, verb: Verb) -> String {
        let ask = Ask {
            verb,
            operation: 0,
            index: 5,
            offset: 3,
            length: 10,
            status: 0,
            sized: true,
            compare: false,
        };
        let mut out = Vec::new();
        assert_eq!(form.render(&ask, 0, &mut out).is_some(), verb == Verb::Put);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn requests_are_what_they_should_be() {
        let tail = "HTTP/1.1\r\nHost: [::1]:9000\r\n";
        let form_of_objects = form(None);
        for (verb, expected) in [
            (Verb::Get, format!("GET /bench/1/o-005 {tail}\r\n")),
            (Verb::Head, format!("HEAD /bench/1/o-005 {tail}\r\n")),
            (Verb::Delete, format!("DELETE /bench/1/o-005 {tail}\r\n")),
            (
                Verb::List,
                format!("GET /bench?list-type=2&max-keys=7&prefix=1%2F {tail}\r\n"),
            ),
            (
                Verb::Range,
                format!("GET /bench/1/o-005 {tail}Range: bytes=3-12\r\n\r\n"),
            ),
            (
                Verb::Put,
                format!("PUT /bench/1/o-005 {tail}Content-Length: 10\r\n\r\n"),
            ),
        ] {
            assert_eq!(text(&form_of_objects, verb), expected);
        }
        assert_eq!(
            text(&form(Some("/x?y")), Verb::Get),
            format!("GET /x?y {tail}\r\n")
        );
        for (verb, expected) in [
            (
                Verb::Put,
                format!("PUT /bench {tail}Content-Length: 0\r\n\r\n"),
            ),
            (Verb::Head, format!("HEAD /bench {tail}\r\n")),
            (Verb::Delete, format!("DELETE /bench {tail}\r\n")),
        ] {
            let mut out = Vec::new();
            form_of_objects.of_bucket(verb, None, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn slashes_of_a_value_are_escaped_from_a_place_on() {
        for (text, at, expected) in [
            ("/b?prefix=", 10, "/b?prefix="),
            ("/b?prefix=a/b//", 10, "/b?prefix=a%2Fb%2F%2F"),
        ] {
            let mut out = text.as_bytes().to_vec();
            escape_slashes(at, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_body_in_pieces_is_the_whole_body() {
        let mut out = Vec::new();
        let mut rest = Some(Rest {
            index: 9,
            offset: 0,
            size: 1000,
        });
        while let Some(left) = rest {
            rest = left.render(33, &mut out);
        }
        assert_eq!(out.len(), 1000);
        assert!(body::matches(9, 0, &out));
    }
}
