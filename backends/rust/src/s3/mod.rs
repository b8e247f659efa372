//! The rules of the S3 subset of backends/CONTRACT.md, between any stack and the store.
//!
//! A stack fills in an [`Asked`], calls [`begin`], and does what the [`Step`] says until there is
//! an answer: feeds a body, or makes a change, in memory or through the log.

mod answer;
mod asked;
mod auth;
mod aws_chunked;
mod bucket;
mod change;
mod checksum;
mod complete;
mod copy;
mod delete;
mod failure;
mod get;
mod list_uploads;
mod multipart;
mod overrides;
mod put;
mod upload;
mod versions;
mod xml;
mod xml_read;

pub use answer::{
    Answer, Content, Headers, Part, date_value, failure as failure_answer, http_date, upper_hex,
};
pub use asked::{Asked, Method};
pub use auth::Credentials;
use change::of_refusal;
pub use change::{Made, Pending, Told};
pub use failure::{BAD_REQUEST, Failure, HEAD_TOO_LARGE};
pub use upload::Upload;

use std::cell::Cell;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bumpalo::Bump;

use crate::log;
use crate::object::Object;
use crate::spare::Spare;
use crate::store::{Bucket, Store};
use upload::{Announcement, Limit, Payload, Then};

pub type Outcome = Result<Answer, &'static Failure>;
pub type Progress = Result<Step, &'static Failure>;

const KEY_BYTES_MAX: usize = 1024;
/// Of a body that says nothing to its operation.
const OPTIONAL_BYTES_MAX: u64 = 64 << 10;

/// What a request comes to next.
pub enum Step {
    Answer(Answer),
    /// Its body must come first.
    Body(Upload),
    /// It is answered when the change is made.
    Change(Pending),
}

impl From<Answer> for Step {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// What all workers share.
#[derive(Debug)]
pub struct Shared {
    pub store: Arc<Store>,
    pub object_bytes_max: u64,
    /// Who may sign; `None` when signatures are not verified.
    pub credentials: Option<Credentials>,
}

/// What one worker thread keeps for its requests.
#[derive(Debug)]
pub struct Rules {
    pub shared: Arc<Shared>,
    keys: auth::Keys,
    /// What replaced objects leave for the next.
    spare: Spare,
    requests: Cell<u64>,
    seed: u64,
}

impl Rules {
    pub fn new(shared: Arc<Shared>, worker: usize) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            shared,
            keys: auth::Keys::default(),
            spare: Spare::default(),
            requests: Cell::new((worker as u64) << 48),
            seed: since_epoch.as_secs(),
        }
    }

    /// Every step is a bijection of the worker and its count: unique without a lock or a collision.
    pub fn request_id(&self) -> u64 {
        let number = self.requests.get();
        self.requests.set(number + 1);
        self.seed.wrapping_add(number).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// Keeps the memory of what is no longer stored.
    pub fn use_again(&self, gone: Option<Arc<Object>>) {
        if let Some(object) = gone {
            self.spare.give(object);
        }
    }

    /// What the log's writer told of a change.
    pub fn made(&self, outcome: log::Outcome) -> Made {
        outcome.map(|gone| self.use_again(gone)).map_err(of_refusal)
    }
}

/// One request on its way to its answer.
pub struct Exchange<'a> {
    pub rules: &'a Rules,
    /// Scratch for what lives as long as one step.
    pub arena: &'a Bump,
    pub asked: &'a Asked,
}

/// Takes a request, whose target was decoded, as far as it goes without its body.
pub fn begin(exchange: &Exchange<'_>) -> Progress {
    let proof = exchange.authenticate()?;
    let mut step = dispatch(exchange)?;
    if let Step::Body(upload) = &mut step {
        upload.proof = proof;
    }
    Ok(step)
}

/// Whether the client gets a final status in place of the 100 that it waits for: it leaves open
/// whether a body follows, so the connection ends.
pub fn is_instead_of_continue(asked: &Asked, progress: &Progress) -> bool {
    let reads_on = match progress {
        Ok(Step::Body(_)) => true,
        Ok(Step::Answer(_) | Step::Change(_)) => !asked.has_body(),
        Err(_) => false,
    };
    !reads_on && asked.expects_continue()
}

/// The first that fails is told, in the contract's order.
fn dispatch(exchange: &Exchange<'_>) -> Progress {
    let asked = exchange.asked;
    if asked.query().any(|(name, _)| is_missing_feature(asked, name)) {
        return Err(&failure::NOT_IMPLEMENTED);
    }
    if asked.key().len() > KEY_BYTES_MAX {
        return Err(&failure::KEY_TOO_LONG);
    }
    let has_key = !asked.key().is_empty();
    if !asked.bucket().is_empty() || has_key {
        bucket::judge_name(asked.bucket())?;
    }
    match (asked.bucket(), asked.method) {
        ("", Method::Get) => Ok(bucket::list_all(exchange).into()),
        ("", _) => Err(&failure::METHOD),
        _ if has_key => on_object(exchange),
        _ => on_bucket(exchange),
    }
}

/// Subresources that S3 has and this subset has not; others (`x-id`) are ignored, as S3 does.
const MISSING: [&str; 28] = [
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "tagging",
    "torrent",
    "versionId",
    "website",
    "session",
];

fn is_missing_feature(asked: &Asked, name: &str) -> bool {
    let (on_bucket, method) = (asked.key().is_empty() && !asked.bucket().is_empty(), asked.method);
    match name {
        "versioning" | "versions" => !(on_bucket && method == Method::Get),
        "uploads" if on_bucket => method != Method::Get,
        "uploads" | "uploadId" | "partNumber" => {
            asked.key().is_empty() || multipart::Operation::of(asked).is_none()
        }
        _ => MISSING.contains(&name),
    }
}

fn on_bucket(exchange: &Exchange<'_>) -> Progress {
    let asked = exchange.asked;
    match asked.method {
        Method::Get if asked.has("versioning") => versions::configuration(exchange),
        Method::Get if asked.has("versions") => versions::list(exchange),
        Method::Get if asked.has("uploads") => list_uploads::uploads(exchange),
        Method::Get if asked.has("location") => bucket::location(exchange),
        Method::Get => bucket::list(exchange),
        Method::Post if asked.has("delete") => return delete::many(exchange),
        Method::Put => return bucket::create(exchange),
        Method::Head => exchange.bucket().map(|_| Answer::new(200, Content::Empty)),
        Method::Delete => return bucket::remove(exchange),
        Method::Post | Method::Other => Err(&failure::METHOD),
    }
    .map(Step::from)
}

fn on_object(exchange: &Exchange<'_>) -> Progress {
    let asked = exchange.asked;
    if let Some(operation) = multipart::Operation::of(asked) {
        return operation.begin(exchange);
    }
    match asked.method {
        Method::Get | Method::Head => get::object(exchange).map(Step::from),
        Method::Put if copy::is_asked(asked) => copy::object(exchange),
        Method::Put => put::object(exchange),
        Method::Delete => delete::one(exchange),
        Method::Post | Method::Other => Err(&failure::METHOD),
    }
}

impl Exchange<'_> {
    fn bucket(&self) -> Result<Arc<Bucket>, &'static Failure> {
        let found = self.rules.shared.store.bucket(self.asked.bucket());
        found.ok_or(&failure::NO_SUCH_BUCKET)
    }

    /// What the head says of a body that may not be there.
    fn optional_body(&self) -> Result<Option<Announcement>, &'static Failure> {
        let limit = Limit::of_document(OPTIONAL_BYTES_MAX);
        let asked = self.asked.has_body();
        asked.then(|| Announcement::read(self.asked, limit)).transpose()
    }

    /// Goes on behind a body that says nothing to the operation, but may have been signed; at once
    /// where there is none.
    fn after_optional(
        &self,
        announced: Option<Announcement>,
        then: impl FnOnce(&Exchange<'_>) -> Progress + 'static,
    ) -> Progress {
        let Some(announced) = announced else { return then(self) };
        self.after_body(announced, move |exchange, payload| {
            drop(payload); // its room counts no longer
            then(exchange)
        })
    }

    /// Goes on when the body has come, which is judged like that of a PUT.
    fn after_body(
        &self,
        announced: Announcement,
        then: impl FnOnce(&Exchange<'_>, Payload) -> Progress + 'static,
    ) -> Progress {
        let then = Then::Rare(Box::new(then));
        Upload::open(&self.rules.shared, announced, then).map(Step::Body)
    }
}
