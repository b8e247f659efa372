//! GET and HEAD of an object: conditions and ranges.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::answer::{Answer, Content, Part};
use super::asked::Asked;
use super::failure::{self, Failure};
use super::overrides::Overrides;
use super::{Exchange, Outcome, checksum};
use crate::conditions;
use crate::object::Object;

pub fn object(exchange: &Exchange<'_>) -> Outcome {
    let asked = exchange.asked;
    let overrides = Overrides::read(asked)?;
    let object = exchange.bucket()?.get(asked.key()).ok_or(&failure::NO_SUCH_KEY)?;
    if !CONDITIONS.hold(asked, &object)? {
        return Ok(Answer::new(304, Content::Unchanged(object)));
    }
    let size = object.body.len() as u64;
    match asked_range(asked, &object).map_or(RangeVerdict::Whole, |text| parse_range(text, size)) {
        RangeVerdict::Unsatisfiable => Err(&failure::INVALID_RANGE),
        // Both lie inside a body that is in memory.
        #[allow(clippy::cast_possible_truncation)]
        RangeVerdict::Good(first, last) => {
            let bytes = (last - first) as usize + 1;
            let part = |object| Part {
                object,
                first: first as usize,
                bytes,
                is_range: true,
                tells_checksums: false,
                overrides,
            };
            Ok(Answer::new(206, Content::Object(part(object))))
        }
        RangeVerdict::Whole => Ok(whole(object, checksum::are_asked(asked), overrides)),
    }
}

fn whole(object: Arc<Object>, tells_checksums: bool, overrides: Option<Box<Overrides>>) -> Answer {
    let bytes = object.body.len();
    let part = Part { object, first: 0, bytes, is_range: false, tells_checksums, overrides };
    Answer::new(200, Content::Object(part))
}

/// What `Range` says, unless it is for another content than this.
fn asked_range<'a>(asked: &'a Asked, object: &Object) -> Option<&'a str> {
    let text = asked.text("range")?;
    let own = asked.header("if-range").is_none_or(|tag| tag == object.etag.as_bytes());
    own.then_some(text)
}

/// The headers that hold conditions, which a copy has under names of its own.
pub struct Conditions {
    pub matching: &'static str,
    pub none_match: &'static str,
    pub modified_since: &'static str,
    pub unmodified_since: &'static str,
}

static CONDITIONS: Conditions = Conditions {
    matching: "if-match",
    none_match: "if-none-match",
    modified_since: "if-modified-since",
    unmodified_since: "if-unmodified-since",
};

impl Conditions {
    /// Follows RFC 9110, section 13.2.2: false is a 304, an error a 412.
    pub fn hold(&self, asked: &Asked, object: &Object) -> Result<bool, &'static Failure> {
        // Headers have whole seconds.
        let modified = whole_seconds(object.modified);
        if asked.header(self.matching).is_some() {
            if !names_it(asked, self.matching, object) {
                return Err(&failure::PRECONDITION);
            }
        } else if time(asked, self.unmodified_since).is_some_and(|since| modified > since) {
            return Err(&failure::PRECONDITION);
        }
        if asked.header(self.none_match).is_some() {
            return Ok(!names_it(asked, self.none_match, object));
        }
        Ok(time(asked, self.modified_since).is_none_or(|since| modified > since))
    }
}

fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

fn names_it(asked: &Asked, name: &str, object: &Object) -> bool {
    let mut lists = asked.all(name).filter_map(|value| std::str::from_utf8(value).ok());
    lists.any(|list| conditions::names(list, object.etag.as_bytes()))
}

fn time(asked: &Asked, name: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(asked.text(name)?).ok()
}

#[derive(Debug, PartialEq, Eq)]
enum RangeVerdict {
    /// Malformed, or several: as S3 does, all of it is sent.
    Whole,
    Unsatisfiable,
    /// First and last byte, both included.
    Good(u64, u64),
}

/// Reads `bytes=a-b`, `bytes=a-` and `bytes=-n` against a body's size.
fn parse_range(text: &str, size: u64) -> RangeVerdict {
    let Some(spec) = text.strip_prefix("bytes=") else { return RangeVerdict::Whole };
    let Some((from, to)) = spec.trim().split_once('-') else { return RangeVerdict::Whole };
    // Here a number beyond 64 bits is malformed; where it is a count, it is beyond every object.
    let place = |digits: &str| number(digits).filter(|_| digits.parse::<u64>().is_ok());
    let (first, last) = match (place(from), place(to)) {
        (Some(first), Some(last)) if first <= last => (first, last.min(size.saturating_sub(1))),
        (Some(first), None) if to.is_empty() => (first, size.saturating_sub(1)),
        (None, Some(count)) if from.is_empty() => {
            if count == 0 {
                return RangeVerdict::Unsatisfiable;
            }
            (size.saturating_sub(count), size.saturating_sub(1))
        }
        _ => return RangeVerdict::Whole,
    };
    if first >= size { RangeVerdict::Unsatisfiable } else { RangeVerdict::Good(first, last) }
}

/// Reads digits; a number beyond 64 bits is beyond every object.
pub fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_s3_reads_them() {
        for (text, verdict) in [
            ("bytes=0-0", RangeVerdict::Good(0, 0)),
            ("bytes=5-", RangeVerdict::Good(5, 9)),
            ("bytes=-3", RangeVerdict::Good(7, 9)),
            ("bytes=-30", RangeVerdict::Good(0, 9)),
            ("bytes=10-", RangeVerdict::Unsatisfiable),
            ("bytes=-0", RangeVerdict::Unsatisfiable),
            ("bytes=3-2", RangeVerdict::Whole),
            ("bytes=+1-2", RangeVerdict::Whole),
            ("bytes=0-1,3-4", RangeVerdict::Whole),
            ("bytes=0-99999999999999999999", RangeVerdict::Whole),
        ] {
            assert_eq!(parse_range(text, 10), verdict, "{text}");
        }
    }
}
