//! PUT of an object: what is kept of its head.

use std::sync::Arc;
use std::time::SystemTime;

use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, HeaderName, HeaderValue};

use super::answer::{self, Answer, Content};
use super::asked::Asked;
use super::change::{Pending, Write};
use super::failure::{self, Failure};
use super::upload::{Announcement, Limit, Payload, Then, Upload};
use super::{Exchange, Progress, Step};
use crate::store::{Bucket, Object};

const METADATA_BYTES_MAX: usize = 2 << 10;
pub const METADATA_PREFIX: &str = "x-amz-meta-";

/// What a PUT waits for its body with.
pub struct Put {
    bucket: Arc<Bucket>,
    only_if_absent: bool,
    content_type: HeaderValue,
    kept: Vec<(HeaderName, HeaderValue)>,
}

pub fn object(exchange: &Exchange<'_>) -> Progress {
    let (asked, shared) = (exchange.asked, &*exchange.rules.shared);
    let limit = Limit::of_object(shared);
    let announced = Announcement::read_digests(asked)?;
    let (kept, only_if_absent) = (kept_headers(asked)?, only_if_absent(asked)?);
    let announced = announced.with_length(asked, limit)?;
    let bucket = exchange.bucket()?;
    if only_if_absent && bucket.get(asked.key()).is_some() {
        return Err(&failure::PRECONDITION);
    }
    let put = Put { bucket, only_if_absent, content_type: content_type(asked), kept };
    Ok(Step::Body(Upload::open(shared, announced, Then::Put(put))?))
}

impl Put {
    /// Goes on when the body has come.
    pub fn finish(mut self, payload: Payload) -> Step {
        payload.checksums.keep(&mut self.kept);
        let modified = SystemTime::now();
        let object = Arc::new(Object {
            body: payload.body.into(),
            parts: 0,
            md5: payload.md5,
            etag: answer::etag(payload.md5),
            modified,
            last_modified: answer::date_value(modified),
            content_type: self.content_type,
            kept: self.kept,
        });
        let (bucket, only_if_absent, room) = (self.bucket, self.only_if_absent, payload.room);
        let write = Write::Put { bucket, object: object.clone(), room, only_if_absent };
        Step::Change(Pending::new(write, Answer::new(200, Content::Stored(object))))
    }
}

/// The one condition of a write that this subset has.
pub fn only_if_absent(asked: &Asked) -> Result<bool, &'static Failure> {
    match asked.header("if-none-match") {
        None => Ok(false),
        Some(b"*") => Ok(true),
        Some(_) => Err(&failure::NOT_IMPLEMENTED),
    }
}

pub fn content_type(asked: &Asked) -> HeaderValue {
    let sent = asked.header("content-type").filter(|value| !value.is_empty());
    let default = || HeaderValue::from_static("binary/octet-stream");
    sent.map_or_else(default, answer::header_value)
}

/// What a GET will repeat, in the contract's order, the metadata as it came.
pub fn kept_headers(asked: &Asked) -> Result<Vec<(HeaderName, HeaderValue)>, &'static Failure> {
    if ["if-match", "x-amz-tagging"].into_iter().any(|name| asked.header(name).is_some()) {
        return Err(&failure::NOT_IMPLEMENTED);
    }
    let mut kept = Vec::new();
    if let Some(value) = asked.header("cache-control") {
        kept.push((CACHE_CONTROL, answer::header_value(value)));
    }
    if asked.header("content-encoding").is_some() {
        let codings = without_aws_chunked(asked);
        if !codings.is_empty() {
            kept.push((CONTENT_ENCODING, answer::header_value(codings.as_bytes())));
        }
    }
    keep_metadata(asked, &mut kept)?;
    Ok(kept)
}

fn keep_metadata(
    asked: &Asked,
    kept: &mut Vec<(HeaderName, HeaderValue)>,
) -> Result<(), &'static Failure> {
    let first = kept.len();
    let mut size = 0;
    for (name, value) in asked.headers().filter(|(name, _)| name.starts_with(METADATA_PREFIX)) {
        let known = kept[first..].iter().any(|(known, _)| known.as_str() == name);
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        if known {
            continue; // its values have been joined
        }
        let mut values = asked.all(name);
        let value = match (values.next(), values.next()) {
            (_, None) => answer::header_value(value),
            _ => answer::header_value(&asked.all(name).collect::<Vec<_>>().join(&b","[..])),
        };
        size += name.len() - METADATA_PREFIX.len() + value.len();
        kept.push((header, value));
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
