//! Answers the S3 subset of backends/CONTRACT.md on hyper.

mod auth;
mod aws_chunked;
mod body;
mod bucket;
mod changes;
mod checksum;
mod complete;
mod copy;
mod delete;
mod failure;
mod get;
mod list_uploads;
mod multipart;
mod put;
mod reply;
mod target;
mod versions;
mod xml;
mod xml_read;

pub use auth::Credentials;
pub use reply::{date_value, etag_of};

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bumpalo::Bump;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::http::Extensions;
use hyper::{Method, Request, Response};

use crate::content::Sending;
use crate::gate::Refusals;
use crate::log::Queue;
use crate::store::{Bucket, Store};
use failure::Failure;
use target::Target;

pub type Reply = Response<Sending>;
pub type Answer = Result<Reply, &'static Failure>;

/// What all workers share.
#[derive(Debug)]
pub struct Shared {
    pub store: Arc<Store>,
    pub object_bytes_max: u64,
    /// Who may sign; `None` when signatures are not verified.
    pub credentials: Option<Credentials>,
    requests: AtomicU64,
    seed: u64,
}

impl Shared {
    pub fn new(object_bytes_max: u64, store: Arc<Store>, credentials: Option<Credentials>) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanoseconds = since_epoch.map_or(0, |since| since.as_nanos() & u128::from(u64::MAX));
        Self {
            store,
            object_bytes_max,
            credentials,
            requests: AtomicU64::new(0),
            seed: u64::try_from(nanoseconds).unwrap_or(0),
        }
    }

    /// An odd factor makes this a permutation of 64 bits: unique without a lock or a collision.
    fn request_id(&self) -> u64 {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        self.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

/// What one worker thread keeps for its connections.
#[derive(Debug)]
pub struct Worker {
    pub shared: Arc<Shared>,
    /// Makes hyper write header names as the contract does; see `header_case`.
    header_case: Extensions,
    /// The Date of one second.
    date: RefCell<(u64, HeaderValue)>,
    /// The way to the log's writer; `None` when there is no log.
    log: Option<RefCell<Queue>>,
    keys: auth::Keys,
}

impl Worker {
    pub fn new(shared: Arc<Shared>, header_case: Extensions, log: Option<Queue>) -> Self {
        let date = RefCell::new((0, HeaderValue::from_static("")));
        let keys = auth::Keys::default();
        Self { shared, header_case, date, log: log.map(RefCell::new), keys }
    }

    fn date(&self) -> HeaderValue {
        let now = SystemTime::now();
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let mut cached = self.date.borrow_mut();
        if cached.0 != since_epoch.as_secs() {
            *cached = (since_epoch.as_secs(), reply::date_value(now));
        }
        cached.1.clone()
    }
}

/// What one connection keeps between its requests, which hyper hands over one at a time.
#[derive(Default)]
pub struct Connection {
    pub refusals: Rc<Refusals>,
    /// Scratch for one request: the decoded target, and answers while they are built.
    arena: Cell<Bump>,
}

/// One request on its way to its answer.
pub struct Exchange<'a> {
    pub worker: &'a Worker,
    pub arena: &'a Bump,
    pub target: &'a Target<'a>,
    pub request: Request<Incoming>,
}

/// Answers one request.
pub async fn handle(
    worker: &Worker,
    connection: &Connection,
    request: Request<Incoming>,
) -> Response<Sending> {
    let refusal = connection.refusals.next();
    let mut arena = connection.arena.take();
    let request_id = worker.shared.request_id();
    let response = {
        let path = request.uri().clone();
        let parsed = Target::parse(&path, &arena);
        let answer = match (&parsed, refusal) {
            (_, Some(status)) => Err(failure::refusal(status)),
            (Err(failed), None) => Err(*failed),
            (Ok(target), None) => {
                let exchange = Exchange { worker, arena: &arena, target, request };
                dispatch(exchange).await
            }
        };
        answer.unwrap_or_else(|failed| reply::failure(failed, parsed.ok().as_ref(), request_id))
    };
    arena.reset();
    connection.arena.set(arena);
    reply::finish(response, worker.date(), request_id, &worker.header_case)
}

async fn dispatch(mut exchange: Exchange<'_>) -> Answer {
    exchange.authenticate()?;
    let target = exchange.target;
    if target.bucket.is_empty() {
        return match *exchange.request.method() {
            Method::GET if target.query_only(&[]) => Ok(bucket::list_all(&exchange)),
            Method::GET => Err(&failure::NOT_IMPLEMENTED),
            _ => Err(&failure::METHOD),
        };
    }
    if target.key.is_empty() {
        return on_bucket(exchange).await;
    }
    on_object(exchange).await
}

async fn on_bucket(exchange: Exchange<'_>) -> Answer {
    let target = exchange.target;
    let plain = target.query_only(&[]);
    match *exchange.request.method() {
        Method::GET if target.has("versioning") || target.has("versions") => {
            versions::get(&exchange)
        }
        Method::GET if target.has("uploads") => list_uploads::uploads(&exchange),
        Method::GET => bucket::get(&exchange),
        Method::POST if target.has("delete") && target.query_only(&["delete"]) => {
            delete::many(exchange).await
        }
        Method::POST if plain => Err(&failure::METHOD),
        Method::PUT if plain => bucket::create(exchange).await,
        Method::HEAD if plain => {
            exchange.bucket()?;
            Ok(reply::empty(200))
        }
        Method::DELETE if plain => bucket::remove(&exchange).await,
        Method::PUT | Method::HEAD | Method::DELETE | Method::POST => {
            Err(&failure::NOT_IMPLEMENTED)
        }
        _ => Err(&failure::METHOD),
    }
}

async fn on_object(exchange: Exchange<'_>) -> Answer {
    let method = exchange.request.method();
    let known = [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::POST];
    if !known.contains(method) {
        return Err(&failure::METHOD);
    }
    if let Some(operation) = multipart::Operation::of(&exchange) {
        return operation.answer(exchange).await;
    }
    if !exchange.target.query_only(&[]) {
        return Err(&failure::NOT_IMPLEMENTED);
    }
    if method == Method::POST {
        return Err(&failure::METHOD);
    }
    if method == Method::PUT && copy::is_asked(&exchange) {
        return copy::object(exchange).await;
    }
    let bucket = exchange.bucket()?;
    match *method {
        Method::PUT => put::object(exchange, &bucket).await,
        Method::DELETE => {
            exchange.worker.delete(&bucket, exchange.target.key).await?;
            Ok(reply::bodyless(204))
        }
        _ => get::object(&exchange, &bucket),
    }
}

impl Exchange<'_> {
    fn bucket(&self) -> Result<Arc<Bucket>, &'static Failure> {
        let found = self.worker.shared.store.bucket(self.target.bucket);
        found.ok_or(&failure::NO_SUCH_BUCKET)
    }
}
