//! Copies: of an object, and what a part that is copied takes from its source.

use std::sync::Arc;
use std::time::SystemTime;

use super::answer::{self, Answer};
use super::asked::{self, Asked};
use super::bucket::iso_time;
use super::change::{Pending, Write};
use super::failure::{self, Failure};
use super::get::{Conditions, number};
use super::xml::{NAMESPACE, Xml};
use super::{Exchange, Progress, Step, put};
use crate::kept::Kept;
use crate::object::{ETag, Object};

const SOURCE: &str = "x-amz-copy-source";
const RANGE: &str = "x-amz-copy-source-range";

/// All of them answer 412, also those that answer a GET with 304.
static CONDITIONS: Conditions = Conditions {
    matching: "x-amz-copy-source-if-match",
    none_match: "x-amz-copy-source-if-none-match",
    modified_since: "x-amz-copy-source-if-modified-since",
    unmodified_since: "x-amz-copy-source-if-unmodified-since",
};

pub fn is_asked(asked: &Asked) -> bool {
    asked.header(SOURCE).is_some()
}

/// PUT with a source: the same content under another key, which no byte is copied for.
pub fn object(exchange: &Exchange<'_>) -> Progress {
    let asked = exchange.asked;
    let source = Source::read(asked)?;
    let replacing = is_replacing(asked)?;
    if !replacing && (&*source.bucket, &*source.key) == (asked.bucket(), asked.key()) {
        return Err(&failure::INVALID_REQUEST);
    }
    put::refuse_features(asked)?;
    let replaced = replacing.then(|| put::kept_headers(asked)).transpose()?;
    let conditions = put::conditions(asked);
    let announced = exchange.optional_body()?;
    let bucket = exchange.bucket()?;
    put::judge(&bucket, asked.key(), &conditions)?;
    let source = source.find(exchange)?;
    // Counted as if it were copied: its source may be gone before it.
    let shared = &exchange.rules.shared;
    let room = shared.store.reserve(source.body.len() as u64).ok_or(&failure::SLOW_DOWN)?;
    exchange.after_optional(announced, move |exchange| {
        let object = Arc::new(copy_of(&source, replaced));
        let answer = answer(exchange, "CopyObjectResult", &source.etag, object.modified);
        let write = Write::Put { bucket, object, room, conditions };
        Ok(Step::Change(Pending::new(write, answer)))
    })
}

fn copy_of(source: &Object, replaced: Option<Kept>) -> Object {
    let modified = SystemTime::now();
    let kept = match replaced {
        Some(mut kept) => {
            // Those of a content that stays the same, where all else about it is replaced.
            source.kept.checksums().for_each(|(name, value)| kept.insert(name, value));
            kept
        }
        None => source.kept.clone(),
    };
    Object {
        body: source.body.clone(),
        parts: source.parts,
        md5: source.md5,
        etag: source.etag,
        modified,
        last_modified: answer::http_date(modified),
        kept,
        ..Object::blank()
    }
}

/// What a copy into a part asks for.
pub struct PartSource {
    source: Source,
    /// First and last byte, both included.
    range: Option<(u64, u64)>,
}

impl PartSource {
    pub fn read(asked: &Asked) -> Result<Self, &'static Failure> {
        let source = Source::read(asked)?;
        let range = asked.header(RANGE).map(|_| asked.text(RANGE).and_then(parse_range));
        let range = range.map(|range| range.ok_or(&failure::INVALID_ARGUMENT)).transpose()?;
        Ok(Self { source, range })
    }

    /// The object, its conditions judged, with the first byte and how many.
    pub fn find(
        &self,
        exchange: &Exchange<'_>,
    ) -> Result<(Arc<Object>, usize, usize), &'static Failure> {
        let source = self.source.find(exchange)?;
        let size = source.body.len();
        let Some((first, last)) = self.range else { return Ok((source, 0, size)) };
        let first = usize::try_from(first).map_err(|_| &failure::COPY_RANGE)?;
        let last = usize::try_from(last).ok().filter(|last| *last < size);
        Ok((source, first, last.ok_or(&failure::COPY_RANGE)? - first + 1))
    }
}

/// What both copies answer: the tag and the time of what was made.
pub fn answer(exchange: &Exchange<'_>, root: &str, etag: &ETag, modified: SystemTime) -> Answer {
    let mut text = Xml::new(root, NAMESPACE, exchange.arena);
    text.element("LastModified", &iso_time(modified));
    text.element("ETag", etag.as_str());
    Answer::xml(text.finish(root))
}

fn is_replacing(asked: &Asked) -> Result<bool, &'static Failure> {
    match asked.header("x-amz-metadata-directive") {
        None | Some(b"COPY") => Ok(false),
        Some(b"REPLACE") => Ok(true),
        Some(_) => Err(&failure::INVALID_ARGUMENT),
    }
}

/// Bucket and key of what is copied.
struct Source {
    bucket: Box<str>,
    key: Box<str>,
}

impl Source {
    /// Decodes before it splits, since clients encode the slash too.
    fn read(asked: &Asked) -> Result<Self, &'static Failure> {
        let malformed = || &failure::INVALID_ARGUMENT;
        let text = asked.text(SOURCE).ok_or_else(malformed)?;
        let (path, version) = text.split_once('?').unwrap_or((text, "versionId=null"));
        let version = version.strip_prefix("versionId=").filter(|version| !version.is_empty());
        let version = version.ok_or_else(malformed)?;
        let path = asked::decode_path(path.as_bytes()).ok_or_else(malformed)?;
        let names = path.strip_prefix('/').unwrap_or(&path).split_once('/');
        let (bucket, key) = names.ok_or_else(malformed)?;
        if bucket.is_empty() || key.is_empty() {
            return Err(malformed());
        }
        let is_only = version == "null";
        let source = || Self { bucket: bucket.into(), key: key.into() };
        is_only.then(source).ok_or(&failure::NOT_IMPLEMENTED)
    }

    fn find(&self, exchange: &Exchange<'_>) -> Result<Arc<Object>, &'static Failure> {
        let bucket = exchange.rules.shared.store.bucket(&self.bucket);
        let source = bucket.ok_or(&failure::NO_SUCH_BUCKET)?.get(&self.key);
        let source = source.ok_or(&failure::NO_SUCH_KEY)?;
        let holds = CONDITIONS.hold(exchange.asked, &source)?;
        holds.then_some(source).ok_or(&failure::PRECONDITION)
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
