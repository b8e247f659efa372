//! GET and HEAD of an object: conditions and ranges.

use std::time::{Duration, SystemTime};

use hyper::header::{
    ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};

use super::failure::{self, Failure};
use super::{Answer, Exchange, checksum, reply};
use crate::store::{Bucket, Object};

pub fn object(exchange: &Exchange<'_>, bucket: &Bucket) -> Answer {
    let object = bucket.get(exchange.target.key).ok_or(&failure::NO_SUCH_KEY)?;
    let request = exchange.request.headers();
    let tags = [(ETAG, object.etag.clone()), (LAST_MODIFIED, object.last_modified.clone())];
    if !CONDITIONS.hold(request, &object)? {
        let mut response = reply::bodyless(304);
        response.headers_mut().extend(tags);
        return Ok(response);
    }
    let size = object.body.len() as u64;
    let range = request.get(RANGE).and_then(|value| value.to_str().ok());
    let (mut response, content_range) = match range.map(|text| parse_range(text, size)) {
        Some(RangeVerdict::Unsatisfiable) => return Err(&failure::INVALID_RANGE),
        Some(RangeVerdict::Several) => return Err(&failure::NOT_IMPLEMENTED),
        Some(RangeVerdict::Good(first, last)) => {
            // Both lie inside a body that is in memory.
            #[allow(clippy::cast_possible_truncation)]
            let part = object.body.send(first as usize, (last - first) as usize + 1);
            let text = format!("bytes {first}-{last}/{size}");
            (reply::with_body(206, part), Some(reply::header_value(text.as_bytes())))
        }
        Some(RangeVerdict::Malformed) | None => {
            (reply::with_body(200, object.body.send(0, object.body.len())), None)
        }
    };
    let headers = response.headers_mut();
    headers.reserve(6 + object.kept.len());
    headers.extend(tags);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_TYPE, object.content_type.clone());
    let tells = content_range.is_none() && checksum::are_asked(request);
    let kept = object.kept.iter().filter(|(name, _)| tells || !checksum::is_checksum(name));
    headers.extend(kept.cloned());
    if let Some(value) = content_range {
        headers.insert(CONTENT_RANGE, value);
    }
    Ok(response)
}

/// The headers that hold conditions, which a copy has under names of its own.
pub struct Conditions {
    pub matching: HeaderName,
    pub none_match: HeaderName,
    pub modified_since: HeaderName,
    pub unmodified_since: HeaderName,
}

static CONDITIONS: Conditions = Conditions {
    matching: IF_MATCH,
    none_match: IF_NONE_MATCH,
    modified_since: IF_MODIFIED_SINCE,
    unmodified_since: IF_UNMODIFIED_SINCE,
};

impl Conditions {
    /// Follows RFC 9110, section 13.2.2: false is a 304, an error a 412.
    pub fn hold(&self, headers: &HeaderMap, object: &Object) -> Result<bool, &'static Failure> {
        // Headers have whole seconds.
        let modified = whole_seconds(object.modified);
        if headers.contains_key(&self.matching) {
            if !matches_tag(headers, &self.matching, &object.etag) {
                return Err(&failure::PRECONDITION);
            }
        } else if time(headers, &self.unmodified_since).is_some_and(|since| modified > since) {
            return Err(&failure::PRECONDITION);
        }
        if headers.contains_key(&self.none_match) {
            return Ok(!matches_tag(headers, &self.none_match, &object.etag));
        }
        Ok(time(headers, &self.modified_since).is_none_or(|since| modified > since))
    }
}

fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

/// Tags without quotes match too, as they do in S3.
fn matches_tag(headers: &HeaderMap, name: &HeaderName, etag: &HeaderValue) -> bool {
    let own = etag.to_str().unwrap_or("").trim_matches('"');
    let lists = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|tag| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.trim_matches('"') == own
    })
}

fn time(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

#[derive(Debug, PartialEq, Eq)]
enum RangeVerdict {
    Malformed,
    Several,
    Unsatisfiable,
    /// First and last byte, both included.
    Good(u64, u64),
}

/// Reads `bytes=a-b`, `bytes=a-` and `bytes=-n` against a body's size.
fn parse_range(text: &str, size: u64) -> RangeVerdict {
    let Some(spec) = text.strip_prefix("bytes=") else { return RangeVerdict::Malformed };
    if spec.contains(',') {
        return RangeVerdict::Several;
    }
    let Some((from, to)) = spec.trim().split_once('-') else { return RangeVerdict::Malformed };
    let (first, last) = match (number(from), number(to)) {
        (Some(first), Some(last)) if first <= last => (first, last.min(size.saturating_sub(1))),
        (Some(first), None) if to.is_empty() => (first, size.saturating_sub(1)),
        (None, Some(count)) if from.is_empty() => {
            if count == 0 {
                return RangeVerdict::Unsatisfiable;
            }
            (size.saturating_sub(count), size.saturating_sub(1))
        }
        _ => return RangeVerdict::Malformed,
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
            ("bytes=3-2", RangeVerdict::Malformed),
            ("bytes=+1-2", RangeVerdict::Malformed),
            ("bytes=0-1,3-4", RangeVerdict::Several),
        ] {
            assert_eq!(parse_range(text, 10), verdict, "{text}");
        }
    }
}
