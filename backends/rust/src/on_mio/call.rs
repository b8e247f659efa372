//! A request in progress: taken when its head is complete, given back when its answer is sent.

use std::mem::MaybeUninit;

use bumpalo::Bump;
use httparse::Status;

use super::sending::Source;
use crate::http::{BodyFraming, Framer, HeadFacts, Phase};
use crate::s3::{self, Asked, Exchange, Failure, Made, Rules, Told, Upload};

/// More than a client sends.
const HEADERS_USUAL: usize = 64;
/// As many as a head can hold: `a:`, CR and LF.
const HEADERS_MAX: usize = crate::http::HEAD_BYTES_MAX / 4;
/// What a long listing leaves is given back.
const ARENA_BYTES_KEPT: usize = 64 << 10;

/// Its buffers keep their room from one request to the next.
pub struct Call {
    pub asked: Asked,
    arena: Bump,
    pub framer: Framer,
    /// The body that is being read, if the operation wants it.
    pub upload: Option<Upload>,
    /// What the log's writer has still to do.
    pub waiting: Option<Waiting>,
    /// What is sent from where it lies.
    pub source: Option<Source>,
    pub is_head_only: bool,
    pub is_closing: bool,
}

pub struct Waiting {
    pub outcomes_left: usize,
    pub made: Made,
    pub told: Told,
}

impl Call {
    pub fn new() -> Self {
        Self {
            asked: Asked::default(),
            arena: Bump::new(),
            framer: Framer::new(),
            upload: None,
            waiting: None,
            source: None,
            is_head_only: false,
            is_closing: false,
        }
    }

    /// Ready for the next request.
    pub fn reset(&mut self) {
        if self.arena.allocated_bytes() > ARENA_BYTES_KEPT {
            self.arena = Bump::new();
        }
        self.arena.reset();
        self.framer = Framer::new();
        (self.upload, self.waiting, self.source) = (None, None, None);
        (self.is_head_only, self.is_closing) = (false, false);
    }

    pub fn exchange<'a>(&'a self, rules: &'a Rules) -> Exchange<'a> {
        Exchange { rules, arena: &self.arena, asked: &self.asked }
    }

    /// Whether the log has still to answer.
    pub fn is_waiting(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.outcomes_left > 0)
    }

    /// Whether a body follows that has not come to its end.
    pub fn is_in_body(&self) -> bool {
        self.framer.phase != Phase::Head
    }

    /// Parses exactly one head.
    pub fn read_head(&mut self, head: &[u8]) -> Result<(), &'static Failure> {
        match self.parse::<HEADERS_USUAL>(head) {
            Err(httparse::Error::TooManyHeaders) => self.parse::<HEADERS_MAX>(head),
            parsed => parsed,
        }
        .ok()
        .flatten()
        .ok_or(&s3::BAD_REQUEST)
    }

    // Not inlined: the room for the most headers would be in the frame of every call.
    #[inline(never)]
    fn parse<const HEADERS: usize>(&mut self, head: &[u8]) -> Result<Option<()>, httparse::Error> {
        let mut headers = [const { MaybeUninit::uninit() }; HEADERS];
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(head, &mut headers)?;
        let is_whole = parsed == Status::Complete(head.len());
        Ok(is_whole.then(|| self.take(&request)).flatten())
    }

    /// `None` when the head as a whole must be refused.
    fn take(&mut self, request: &httparse::Request<'_, '_>) -> Option<()> {
        let target = path_and_query(request.path?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.asked.begin(request.method?.as_bytes(), path.as_bytes(), query.as_bytes());
        let mut facts = HeadFacts::default();
        let mut is_kept_alive = request.version? == 1;
        for header in &*request.headers {
            let name = header.name.as_bytes();
            facts.take_header(name, header.value)?;
            if name.eq_ignore_ascii_case(b"connection") {
                let mut words = header.value.split(|byte| *byte == b',');
                is_kept_alive &=
                    !words.any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"));
            }
            self.asked.add_header(name, header.value);
        }
        let framing = facts.complete()?;
        if framing == BodyFraming::Chunked && request.version == Some(0) {
            return None; // HTTP/1.0 has no transfer codings
        }
        self.framer.begin_body(&framing);
        self.is_head_only = self.asked.method == s3::Method::Head;
        self.is_closing = !is_kept_alive;
        Some(())
    }
}

/// Without the authority of a proxy's form of the target.
fn path_and_query(target: &str) -> &str {
    let Some(rest) = target.strip_prefix("http://") else { return target };
    rest.find('/').map_or("/", |at| &rest[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(call: &mut Call, head: &str) -> Result<(), &'static Failure> {
        call.reset();
        call.read_head(head.as_bytes())
    }

    #[test]
    fn a_head_is_read_with_what_it_says_of_its_connection() {
        let mut call = Call::new();
        let head = "PUT http://example.com/b/k?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\
            Expect: 100-Continue\r\nConnection: x, Close\r\nX-A:  b \r\n\r\n";
        read(&mut call, head).unwrap();
        assert!(call.is_closing && call.asked.expects_continue() && call.is_in_body());
        assert_eq!((call.asked.path(), call.asked.header("x-a")), (&b"/b/k"[..], Some(&b"b"[..])));
        let many = "x:\r\n".repeat(1000);
        read(&mut call, &format!("HEAD / HTTP/1.1\r\nHost: a\r\n{many}\r\n")).unwrap();
        assert!(call.is_head_only && !call.is_closing && !call.is_in_body());
        assert_eq!(call.asked.headers().count(), 1001);
    }

    #[test]
    fn heads_that_are_not_http_are_refused() {
        let mut call = Call::new();
        for (line, headers) in [
            ("GET / HTTP/1.1", ""),
            ("GET /", "Host: a\r\n"),
            ("GET / HTTP/2.0", "Host: a\r\n"),
            ("PUT / HTTP/1.0", "Host: a\r\nTransfer-Encoding: chunked\r\n"),
            ("PUT / HTTP/1.1", "Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n"),
            ("PUT / HTTP/1.1", "Host: a\r\nContent-Length : 1\r\n"),
            ("PUT / HTTP/1.1", "Host: a\r\n: no name\r\n"),
            ("PUT / HTTP/1.1", "Host: a\r\nX: \x00\r\n"),
        ] {
            let head = format!("{line}\r\n{headers}\r\n");
            assert_eq!(read(&mut call, &head), Err(&s3::BAD_REQUEST), "{head:?}");
        }
    }
}
