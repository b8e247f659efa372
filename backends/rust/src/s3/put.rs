//! PUT of an object: what is kept of its head.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::BytesMut;

use super::answer::{self, Answer, Content};
use super::asked::Asked;
use super::change::{Pending, Write, of_store};
use super::failure::{self, Failure};
use super::upload::{Announcement, Limit, Payload, Then, Upload};
use super::{Exchange, Progress, Step};
use crate::conditions::Conditions;
use crate::kept::{CONTENT_TYPE, Kept, METADATA_PREFIX};
use crate::object::ETag;
use crate::spare::Blank;
use crate::store::Bucket;

const METADATA_BYTES_MAX: usize = 2 << 10;

/// What a PUT waits for its body with.
pub struct Put {
    bucket: Arc<Bucket>,
    conditions: Conditions,
    blank: Blank,
}

pub fn object(exchange: &Exchange<'_>) -> Progress {
    let (asked, shared) = (exchange.asked, &*exchange.rules.shared);
    let limit = Limit::of_object(shared);
    let announced = Announcement::read_digests(asked)?;
    refuse_features(asked)?;
    let mut blank = exchange.rules.spare.take(announced.bytes(asked));
    keep_headers(asked, &mut blank.object().kept)?;
    let announced = announced.with_length(asked, limit)?;
    let conditions = conditions(asked);
    let bucket = exchange.bucket()?;
    judge(&bucket, asked.key(), &conditions)?;
    let put = Put { bucket, conditions, blank };
    Ok(Step::Body(Upload::open(shared, announced, Then::Put(put))?))
}

impl Put {
    /// Room for a body of this size, once that is accounted.
    pub fn buffer(&mut self, bytes: usize) -> BytesMut {
        self.blank.buffer(bytes)
    }

    /// Goes on when the body has come.
    pub fn finish(mut self, payload: Payload) -> Step {
        let object = self.blank.object();
        payload.checksums.headers().for_each(|(name, value)| object.kept.insert(name, value));
        object.body = payload.body.into();
        (object.md5, object.parts) = (payload.md5, 0);
        object.etag = ETag::new(payload.md5, 0);
        object.modified = SystemTime::now();
        object.last_modified = answer::http_date(object.modified);
        let object = self.blank.done();
        let (bucket, conditions, room) = (self.bucket, self.conditions, payload.room);
        let write = Write::Put { bucket, object: object.clone(), room, conditions };
        Step::Change(Pending::new(write, Answer::new(200, Content::Stored(object))))
    }
}

/// What the request asks of the object that is there.
pub fn conditions(asked: &Asked) -> Conditions {
    let list = |name| {
        asked.header(name)?;
        let lists = asked.all(name).filter_map(|value| std::str::from_utf8(value).ok());
        Some(lists.collect::<Vec<_>>().join(",").into())
    };
    Conditions { matching: list("if-match"), none_match: list("if-none-match") }
}

/// Tells what fails before the body is read; the index decides again when the write is made.
pub fn judge(bucket: &Bucket, key: &str, conditions: &Conditions) -> Result<(), &'static Failure> {
    let refused = if conditions.is_empty() { None } else { bucket.refuses(key, conditions) };
    refused.map_or(Ok(()), |error| Err(of_store(error)))
}

/// Headers whose features are not here must not be accepted in silence.
pub fn refuse_features(asked: &Asked) -> Result<(), &'static Failure> {
    let is_missing = |name: &str| {
        name == "x-amz-tagging"
            || name.starts_with("x-amz-server-side-encryption")
            || name.starts_with("x-amz-object-lock-")
    };
    let refused = asked.headers().any(|(name, _)| is_missing(name));
    if refused { Err(&failure::NOT_IMPLEMENTED) } else { Ok(()) }
}

/// What a GET will repeat, where nothing is used again.
pub fn kept_headers(asked: &Asked) -> Result<Kept, &'static Failure> {
    let mut kept = Kept::default();
    keep_headers(asked, &mut kept)?;
    Ok(kept)
}

/// What a GET will repeat, in the contract's order, the metadata as it came.
fn keep_headers(asked: &Asked, kept: &mut Kept) -> Result<(), &'static Failure> {
    kept.begin(asked.header(CONTENT_TYPE));
    for name in ["cache-control", "content-disposition"] {
        keep(asked, name, kept);
    }
    if asked.header("content-encoding").is_some() {
        let codings = without_aws_chunked(asked);
        if !codings.is_empty() {
            kept.push("content-encoding", codings.as_bytes());
        }
    }
    for name in ["content-language", "expires"] {
        keep(asked, name, kept);
    }
    keep_metadata(asked, kept)
}

fn keep(asked: &Asked, name: &str, kept: &mut Kept) {
    if let Some(value) = asked.header(name).filter(|value| !value.is_empty()) {
        kept.push(name, value);
    }
}

fn keep_metadata(asked: &Asked, kept: &mut Kept) -> Result<(), &'static Failure> {
    let mut size = 0;
    for (name, value) in asked.headers().filter(|(name, _)| name.starts_with(METADATA_PREFIX)) {
        let mut values = asked.all(name);
        let is_one = values.next().is_some() && values.next().is_none();
        if !is_one && kept.get(name).is_some() {
            continue; // its values have been joined
        }
        let joined = if is_one { Vec::new() } else { asked.all(name).collect() }.join(&b","[..]);
        let value = if is_one { value } else { &joined };
        size += name.len() - METADATA_PREFIX.len() + value.len();
        kept.push(name, value);
    }
    if size > METADATA_BYTES_MAX {
        return Err(&failure::METADATA_TOO_LARGE);
    }
    Ok(())
}

/// Takes off how the body came; clients say that first or last, or twice.
fn without_aws_chunked(asked: &Asked) -> String {
    let values = asked.all("content-encoding").filter_map(|value| std::str::from_utf8(value).ok());
    let whole = values.collect::<Vec<_>>().join(",");
    let mut codings = whole.as_str();
    loop {
        let (first, behind) = codings.split_once(',').unwrap_or((codings, ""));
        let (before, last) = codings.rsplit_once(',').unwrap_or(("", codings));
        let is_ours = |coding: &str| coding.trim().eq_ignore_ascii_case("aws-chunked");
        codings = match codings {
            _ if is_ours(first) => behind.trim(),
            _ if is_ours(last) => before.trim(),
            others => return others.to_owned(),
        };
    }
}
