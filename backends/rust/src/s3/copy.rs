//! Copies: of an object, and what a part that is copied takes from its source.

use std::sync::Arc;
use std::time::SystemTime;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::bucket::iso_time;
use super::failure::{self, Failure};
use super::get::{Conditions, number};
use super::xml::{NAMESPACE, Xml};
use super::{Answer, Exchange, Reply, body, checksum, put, reply, target};
use crate::store::Object;

const SOURCE: &str = "x-amz-copy-source";
const RANGE: &str = "x-amz-copy-source-range";

/// All of them answer 412, also those that answer a GET with 304.
static CONDITIONS: Conditions = Conditions {
    matching: HeaderName::from_static("x-amz-copy-source-if-match"),
    none_match: HeaderName::from_static("x-amz-copy-source-if-none-match"),
    modified_since: HeaderName::from_static("x-amz-copy-source-if-modified-since"),
    unmodified_since: HeaderName::from_static("x-amz-copy-source-if-unmodified-since"),
};

pub fn is_asked(exchange: &Exchange<'_>) -> bool {
    exchange.request.headers().contains_key(SOURCE)
}

/// PUT with a source: the same content under another key, which no byte is copied for.
pub async fn object(mut exchange: Exchange<'_>) -> Answer {
    let headers = exchange.request.headers();
    let only_if_absent = put::only_if_absent(headers)?;
    let replacing = is_replacing(headers)?;
    let (name, key) = named_source(&exchange)?;
    let target = exchange.target;
    if !replacing && (name, key) == (target.bucket, target.key) {
        return Err(&failure::INVALID_REQUEST);
    }
    let replaced = replacing.then(|| put::kept_headers(headers)).transpose()?;
    let replaced = replaced.map(|kept| (put::content_type(headers), kept));
    let bucket = exchange.bucket()?;
    let source = find(&exchange, name, key)?;
    if only_if_absent && bucket.get(target.key).is_some() {
        return Err(&failure::PRECONDITION);
    }
    // Counted as if it were copied: its source may be gone before it.
    let shared = &exchange.worker.shared;
    let room = shared.store.reserve(source.body.len() as u64).ok_or(&failure::SLOW_DOWN)?;
    body::discard(&mut exchange.request, shared).await?;
    let modified = SystemTime::now();
    let (content_type, kept) = match replaced {
        Some((content_type, mut kept)) => {
            checksum::carry(&source.kept, &mut kept);
            (content_type, kept)
        }
        None => (source.content_type.clone(), source.kept.clone()),
    };
    let copy = Object {
        body: source.body.clone(),
        parts: source.parts,
        md5: source.md5,
        etag: source.etag.clone(),
        modified,
        last_modified: reply::date_value(modified),
        content_type,
        kept,
    };
    exchange.worker.put(&bucket, target.key, copy, room, only_if_absent).await?;
    Ok(answer(&exchange, "CopyObjectResult", source.etag.to_str().unwrap_or(""), modified))
}

/// What a copy into a part asks for.
pub struct PartSource<'a> {
    bucket: &'a str,
    key: &'a str,
    /// First and last byte, both included.
    range: Option<(u64, u64)>,
}

impl<'a> PartSource<'a> {
    pub fn read(exchange: &Exchange<'a>) -> Result<Self, &'static Failure> {
        let (bucket, key) = named_source(exchange)?;
        let range = exchange.request.headers().get(RANGE);
        let range = range.map(|value| parse_range(value.to_str().unwrap_or("")));
        let range = range.map(|range| range.ok_or(&failure::INVALID_ARGUMENT)).transpose()?;
        Ok(Self { bucket, key, range })
    }

    /// The object, its conditions judged, with the first byte and how many.
    pub fn find(
        &self,
        exchange: &Exchange<'_>,
    ) -> Result<(Arc<Object>, usize, usize), &'static Failure> {
        let source = find(exchange, self.bucket, self.key)?;
        let size = source.body.len();
        let Some((first, last)) = self.range else { return Ok((source, 0, size)) };
        let first = usize::try_from(first).map_err(|_| &failure::COPY_RANGE)?;
        let last = usize::try_from(last).ok().filter(|last| *last < size);
        Ok((source, first, last.ok_or(&failure::COPY_RANGE)? - first + 1))
    }
}

/// What both copies answer: the tag and the time of what was made.
pub fn answer(exchange: &Exchange<'_>, root: &str, etag: &str, modified: SystemTime) -> Reply {
    let mut text = Xml::new(root, NAMESPACE, exchange.arena);
    text.element("LastModified", &iso_time(modified));
    text.element("ETag", etag);
    reply::xml(200, text.finish(root))
}

fn is_replacing(headers: &HeaderMap) -> Result<bool, &'static Failure> {
    match headers.get("x-amz-metadata-directive").map(HeaderValue::as_bytes) {
        None | Some(b"COPY") => Ok(false),
        Some(b"REPLACE") => Ok(true),
        Some(_) => Err(&failure::INVALID_ARGUMENT),
    }
}

/// Bucket and key of the source: decoded before they are split, since clients encode the slash too.
fn named_source<'a>(exchange: &Exchange<'a>) -> Result<(&'a str, &'a str), &'static Failure> {
    let malformed = || &failure::INVALID_ARGUMENT;
    let value = exchange.request.headers().get(SOURCE).ok_or_else(malformed)?;
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| malformed())?;
    let (path, version) = text.split_once('?').unwrap_or((text, "versionId=null"));
    let version = version.strip_prefix("versionId=").filter(|version| !version.is_empty());
    let version = version.ok_or_else(malformed)?;
    // The header is the request's, the names must live as long as the arena.
    let path = exchange.arena.alloc_str(path);
    let path = target::decode(path, false, exchange.arena).ok_or_else(malformed)?;
    let (bucket, key) =
        path.strip_prefix('/').unwrap_or(path).split_once('/').ok_or_else(malformed)?;
    if bucket.is_empty() || key.is_empty() {
        return Err(malformed());
    }
    if version == "null" { Ok((bucket, key)) } else { Err(&failure::NOT_IMPLEMENTED) }
}

fn find(exchange: &Exchange<'_>, name: &str, key: &str) -> Result<Arc<Object>, &'static Failure> {
    let bucket = exchange.worker.shared.store.bucket(name).ok_or(&failure::NO_SUCH_BUCKET)?;
    let source = bucket.get(key).ok_or(&failure::NO_SUCH_KEY)?;
    if CONDITIONS.hold(exchange.request.headers(), &source)? {
        Ok(source)
    } else {
        Err(&failure::PRECONDITION)
    }
}

/// Reads `bytes=a-b`, the only form that a copy knows.
fn parse_range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_ranges_are_read() {
        assert_eq!(parse_range("bytes=0-0"), Some((0, 0)));
        assert_eq!(parse_range("bytes=5-99"), Some((5, 99)));
        for text in ["", "0-5", "bytes=5-", "bytes=-5", "bytes=9-5", "bytes=0-1,3-4", "bytes=a-b"] {
            assert_eq!(parse_range(text), None, "{text}");
        }
    }
}
