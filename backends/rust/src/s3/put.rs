//! PUT of an object: what is kept of its head.

use std::sync::Arc;
use std::time::SystemTime;

use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, EXPIRES, HeaderName,
    HeaderValue,
};

use super::answer::{self, Answer, Content};
use super::asked::Asked;
use super::change::{Pending, Write, of_store};
use super::failure::{self, Failure};
use super::upload::{Announcement, Limit, Payload, Then, Upload};
use super::{Exchange, Progress, Step};
use crate::conditions::Conditions;
use crate::store::{Bucket, Object};

const METADATA_BYTES_MAX: usize = 2 << 10;
pub const METADATA_PREFIX: &str = "x-amz-meta-";

/// What a PUT waits for its body with.
pub struct Put {
    bucket: Arc<Bucket>,
    conditions: Conditions,
    content_type: HeaderValue,
    kept: Vec<(HeaderName, HeaderValue)>,
}

pub fn object(exchange: &Exchange<'_>) -> Progress {
    let (asked, shared) = (exchange.asked, &*exchange.rules.shared);
    let limit = Limit::of_object(shared);
    let announced = Announcement::read_digests(asked)?;
    refuse_features(asked)?;
    let (kept, conditions) = (kept_headers(asked)?, conditions(asked));
    let announced = announced.with_length(asked, limit)?;
    let bucket = exchange.bucket()?;
    judge(&bucket, asked.key(), &conditions)?;
    let put = Put { bucket, conditions, content_type: content_type(asked), kept };
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

pub fn content_type(asked: &Asked) -> HeaderValue {
    let sent = asked.header("content-type").filter(|value| !value.is_empty());
    let default = || HeaderValue::from_static("binary/octet-stream");
    sent.map_or_else(default, answer::header_value)
}

/// What a GET will repeat, in the contract's order, the metadata as it came.
pub fn kept_headers(asked: &Asked) -> Result<Vec<(HeaderName, HeaderValue)>, &'static Failure> {
    let mut kept = Vec::new();
    let keep = |kept: &mut Vec<_>, name: HeaderName| {
        let value = asked.header(name.as_str()).map(answer::header_value);
        kept.extend(value.map(|value| (name, value)));
    };
    keep(&mut kept, CACHE_CONTROL);
    keep(&mut kept, CONTENT_DISPOSITION);
    if asked.header("content-encoding").is_some() {
        let codings = without_aws_chunked(asked);
        if !codings.is_empty() {
            kept.push((CONTENT_ENCODING, answer::header_value(codings.as_bytes())));
        }
    }
    keep(&mut kept, CONTENT_LANGUAGE);
    keep(&mut kept, EXPIRES);
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
