//! Requests of hyper to the rules, and their answers to responses.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bumpalo::Bump;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{
    ACCEPT_RANGES, CONNECTION, CONTENT_LENGTH, DATE, ETAG, HOST, HeaderMap, HeaderName,
    HeaderValue, LAST_MODIFIED, SERVER,
};
use hyper::http::request;
use hyper::{Request, Response, StatusCode, Version};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::gate::{PROGRESS_TIMEOUT, Refusals};
use super::header_case::Spelling;
use crate::content::Sending;
use crate::http::HeadFacts;
use crate::log::{self, Queue, Refusal};
use crate::object::Object;
use crate::s3::{
    self, Answer, Asked, Content, Exchange, Failure, Method, Outcome, Pending, Progress, Rules,
    Step, Upload,
};

pub type Ticket = oneshot::Sender<log::Outcome>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

/// What one worker thread keeps for its connections.
#[derive(Debug)]
pub struct Worker {
    pub rules: Rules,
    /// Makes hyper write header names as the contract does; see `header_case`.
    spelling: Spelling,
    /// The Date of one second.
    date: RefCell<(u64, HeaderValue)>,
    /// The way to the log's writer; `None` when there is no log.
    log: Option<RefCell<Queue<Ticket>>>,
}

impl Worker {
    pub fn new(rules: Rules, spelling: Spelling, log: Option<Queue<Ticket>>) -> Self {
        let date = RefCell::new((0, HeaderValue::from_static("")));
        Self { rules, spelling, date, log: log.map(RefCell::new) }
    }

    fn date(&self) -> HeaderValue {
        let now = SystemTime::now();
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let mut cached = self.date.borrow_mut();
        if cached.0 != since_epoch.as_secs() {
            *cached = (since_epoch.as_secs(), s3::date_value(now));
        }
        cached.1.clone()
    }

    async fn change(&self, exchange: &Exchange<'_>, pending: Pending) -> Outcome {
        let Pending { write, told } = pending;
        let Some(log) = &self.log else { return told.outcome(write.make(exchange)) };
        let mut waiting = Vec::new();
        let ticket = || {
            let (answer, outcome) = oneshot::channel();
            waiting.push(outcome);
            answer
        };
        let (count, mut made) = {
            let mut log = log.borrow_mut();
            let bell = (!log.bell().is_owed()).then(|| log.bell().clone());
            let pushed = write.push(exchange, &mut log, ticket);
            if let Some(bell) = bell {
                // Behind all that is ready now, which may have writes too.
                tokio::task::spawn_local(async move { bell.ring() });
            }
            pushed
        };
        for outcome in waiting.into_iter().take(count) {
            let outcome = outcome.await.unwrap_or(Err(Refusal::Failed));
            let told = self.rules.made(outcome);
            made = made.and(told);
        }
        told.outcome(made)
    }
}

/// What one connection keeps between its requests, which hyper hands over one at a time.
#[derive(Default)]
pub struct Connection {
    pub refusals: Rc<Refusals>,
    /// Room for one request: what it asks, and answers while they are built.
    room: Cell<Option<Box<Room>>>,
}

/// Boxed, so that taking it out and putting it back moves a pointer.
#[derive(Default)]
struct Room {
    asked: Asked,
    arena: Bump,
}

/// Answers one request.
pub async fn handle(
    worker: &Worker,
    connection: &Connection,
    request: Request<Incoming>,
) -> Response<Sending> {
    let is_http1 = request.version() != Version::HTTP_2;
    let (head, mut body) = request.into_parts();
    let refusal = if is_http1 { connection.refusals.next() } else { refusal_of_http2(&head) };
    let mut room = connection.room.take().unwrap_or_default();
    let request_id = worker.rules.request_id();
    read(&mut room.asked, &head, &body);
    let mut is_closing = refusal.is_some();
    let outcome = match refusal {
        Some(status) if status == s3::HEAD_TOO_LARGE.status => Err(&s3::HEAD_TOO_LARGE),
        Some(_) => Err(&s3::BAD_REQUEST),
        None => {
            let routed = room.asked.route();
            let Room { asked, arena } = &*room;
            let exchange = Exchange { rules: &worker.rules, arena, asked };
            let progress = routed.and_then(|()| s3::begin(&exchange));
            is_closing = s3::is_instead_of_continue(asked, &progress);
            let outcome = answer(worker, &exchange, progress, (&mut body, is_http1)).await;
            is_closing |= outcome.as_ref().is_err_and(|failed| failed.closing);
            if is_http1 && !is_closing {
                // hyper would end the connection of a body that nobody has read; in HTTP/2 it
                // resets the stream behind the answer.
                while let Ok(Some(Ok(_))) = next_frame(&mut body, is_http1).await {}
            }
            outcome
        }
    };
    let is_http = !outcome.as_ref().is_err_and(|failed| *failed == &s3::BAD_REQUEST);
    let path = if is_http && refusal.is_none() { room.asked.path() } else { b"/" };
    let mut response = respond(worker, outcome, head.headers, (path, request_id));
    if !is_http1 && room.asked.method == Method::Head {
        *response.body_mut() = Bytes::new().into(); // in HTTP/1.1 hyper sees to that
    }
    if is_closing && is_http1 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        *response.extensions_mut() = worker.spelling.all.clone();
    }
    room.arena.reset();
    connection.room.set(Some(room));
    response
}

fn read(asked: &mut Asked, head: &request::Parts, body: &Incoming) {
    let (uri, method) = (&head.uri, head.method.as_str());
    let query = uri.query().unwrap_or("");
    asked.begin(method.as_bytes(), uri.path().as_bytes(), query.as_bytes());
    let authority = uri.authority().filter(|_| head.version == Version::HTTP_2);
    for (name, value) in &head.headers {
        if authority.is_none() || *name != HOST {
            asked.add_header(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    if let Some(authority) = authority {
        asked.add_header(b"host", authority.as_str().as_bytes());
    }
    // In HTTP/2 the end of a body needs no length: it is like one that comes in chunks.
    if head.version == Version::HTTP_2 && !head.headers.contains_key(CONTENT_LENGTH) {
        if body.is_end_stream() {
            asked.add_header(b"content-length", b"0");
        } else {
            asked.add_header(b"transfer-encoding", b"chunked");
        }
    }
}

/// What hyper lets through: lengths that contradict each other.
fn refusal_of_http2(head: &request::Parts) -> Option<u16> {
    let mut facts = HeadFacts::default();
    let lengths = head.headers.get_all(CONTENT_LENGTH);
    let is_good = lengths
        .iter()
        .all(|value| facts.take_header(b"content-length", value.as_bytes()).is_some());
    (!is_good).then_some(s3::BAD_REQUEST.status)
}

async fn answer(
    worker: &Worker,
    exchange: &Exchange<'_>,
    mut progress: Progress,
    (body, is_http1): (&mut Incoming, bool),
) -> Outcome {
    loop {
        progress = match progress? {
            Step::Answer(answer) => return Ok(answer),
            Step::Body(upload) => receive(exchange, upload, body, is_http1).await,
            Step::Change(pending) => worker.change(exchange, pending).await.map(Step::Answer),
        };
    }
}

/// The gate has the limit of time on HTTP/1.1.
async fn next_frame(
    body: &mut Incoming,
    is_http1: bool,
) -> Result<Option<Result<Frame<Bytes>, hyper::Error>>, &'static Failure> {
    if is_http1 {
        return Ok(body.frame().await);
    }
    timeout(PROGRESS_TIMEOUT, body.frame()).await.map_err(|_| &s3::BAD_REQUEST)
}

async fn receive(
    exchange: &Exchange<'_>,
    mut upload: Upload,
    body: &mut Incoming,
    is_http1: bool,
) -> Progress {
    while let Some(frame) = next_frame(body, is_http1).await? {
        // Its framing is broken, or it ended early: the gate ends the connection.
        let frame = frame.map_err(|_| &s3::BAD_REQUEST)?;
        if let Some(data) = frame.data_ref() {
            upload.feed(data);
        }
        if let Some(failed) = upload.is_hopeless() {
            return Err(failed);
        }
    }
    upload.finish(exchange)
}

/// An answer's own headers, after those that all have.
struct Told<'a> {
    headers: &'a mut HeaderMap,
    /// Whether they are spelt as those of most objects are.
    is_usual: bool,
}

impl s3::Headers for Told<'_> {
    fn add(&mut self, name: &str, value: &[u8]) {
        // What is kept was a header before, and what is made can be one.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value))
        {
            self.headers.insert(name, value);
        }
        self.is_usual = false;
    }

    fn add_tags(&mut self, object: &Object) {
        let ready = object.ready();
        self.headers.insert(ETAG, ready.etag.clone());
        self.headers.insert(LAST_MODIFIED, ready.last_modified.clone());
        self.headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }

    fn add_kept(&mut self, object: &Object, is_told: impl Fn(&str) -> bool) {
        let ready = object.ready();
        for (name, value) in ready.kept.iter().filter(|(name, _)| is_told(name.as_str())) {
            self.headers.insert(name.clone(), value.clone());
        }
        self.is_usual &= ready.is_usual;
    }
}

/// The room of the request's headers, which hyper keeps for a connection, is the answer's.
fn respond(
    worker: &Worker,
    outcome: Outcome,
    mut headers: HeaderMap,
    (path, request_id): (&[u8], u64),
) -> Response<Sending> {
    let answer = outcome.unwrap_or_else(|failed| s3::failure_answer(failed, path, request_id));
    headers.clear();
    headers.insert(DATE, worker.date());
    headers.insert(SERVER, HeaderValue::from_static("pausemark"));
    let id = HeaderValue::from_bytes(&s3::upper_hex(request_id));
    headers.insert(REQUEST_ID, id.unwrap_or_else(|_| HeaderValue::from_static("")));
    let mut told = Told { headers: &mut headers, is_usual: true };
    answer.tell(&mut told);
    let is_usual = told.is_usual;
    if let Some(length) = answer.length() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let status = StatusCode::from_u16(answer.status);
    let mut response = Response::new(body_of(answer));
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    let spelling = &worker.spelling;
    *response.extensions_mut() = if is_usual { &spelling.usual } else { &spelling.all }.clone();
    response
}

fn body_of(answer: Answer) -> Sending {
    match answer.content {
        Content::Document(document) => document.into(),
        Content::Object(part) => part.object.body.send(part.first, part.bytes),
        _ => Bytes::new().into(),
    }
}
