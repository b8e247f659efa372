//! Buckets, and both listings.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bumpalo::Bump;
use hyper::body::Bytes;

use super::answer::{Answer, Content};
use super::asked::Asked;
use super::change::{Pending, Write};
use super::failure::{self, Failure};
use super::xml::{NAMESPACE, Xml, encode_url};
use super::{Exchange, Outcome, Progress, Step};
use crate::object::Object;
use crate::store::{Entry, ListQuery, Page};

pub const LIST_KEYS_MAX: usize = 1000;

pub fn list_all(exchange: &Exchange<'_>) -> Answer {
    let mut text = Xml::new("ListAllMyBucketsResult", NAMESPACE, exchange.arena);
    text.owner();
    text.start("Buckets");
    for bucket in exchange.rules.shared.store.buckets() {
        text.start("Bucket");
        text.element("Name", &bucket.name);
        text.element("CreationDate", &iso_time(bucket.created));
        text.end("Bucket");
    }
    text.end("Buckets");
    Answer::xml(text.finish("ListAllMyBucketsResult"))
}

/// A `CreateBucketConfiguration` may come; its region says nothing to a store that has one place.
pub fn create(exchange: &Exchange<'_>) -> Progress {
    let announced = exchange.optional_body()?;
    exchange.after_optional(announced, |exchange| {
        let location = format!("/{}", exchange.asked.bucket()).into();
        let answer = Answer::new(200, Content::Bucket(location));
        Ok(Step::Change(Pending::new(Write::CreateBucket, answer)))
    })
}

pub fn judge_name(name: &str) -> Result<(), &'static Failure> {
    is_valid_name(name).then_some(()).ok_or(&failure::INVALID_BUCKET_NAME)
}

/// Labels with dots between; four numbers would be an address.
fn is_valid_name(name: &str) -> bool {
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    (3..=63).contains(&name.len())
        && name.split('.').all(is_label)
        && !(name.split('.').count() == 4 && name.split('.').all(is_number))
}

fn is_label(label: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(is_known)
}

pub fn remove(exchange: &Exchange<'_>) -> Progress {
    exchange.bucket()?;
    let answer = Answer::new(204, Content::Nothing);
    Ok(Step::Change(Pending::new(Write::RemoveBucket, answer)))
}

pub fn location(exchange: &Exchange<'_>) -> Outcome {
    exchange.bucket()?;
    let text = Xml::empty("LocationConstraint", NAMESPACE, exchange.arena);
    Ok(Answer::xml(text))
}

/// Either of the listings.
pub fn list(exchange: &Exchange<'_>) -> Outcome {
    let listing = Listing::read(exchange.asked, exchange.arena)?;
    let bucket = exchange.bucket()?;
    let page = bucket.list(&listing.query);
    Ok(Answer::xml(listing.write(&bucket.name, &page)))
}

/// Either listing's query, read and judged.
struct Listing<'a> {
    arena: &'a Bump,
    query: ListQuery<'a>,
    is_v2: bool,
    owner: bool,
    url: bool,
    start_after: &'a str,
    token: Option<&'a str>,
}

impl<'a> Listing<'a> {
    fn read(asked: &'a Asked, arena: &'a Bump) -> Result<Self, &'static Failure> {
        let parameter = |name| asked.get(name).unwrap_or("");
        let is_v2 = asked.has("list-type");
        let max = page_limit(asked, "max-keys", LIST_KEYS_MAX)?;
        let url = encoding(asked)?;
        if is_v2 && parameter("list-type") != "2" {
            return Err(&failure::INVALID_ARGUMENT);
        }
        let token = if is_v2 { asked.get("continuation-token") } else { None };
        let start_after = if is_v2 { parameter("start-after") } else { "" };
        let after = match (is_v2, token) {
            (false, _) => parameter("marker"),
            (true, None) => start_after,
            (true, Some(token)) => {
                // The empty token is none of ours: a page never ends before its first key.
                let token = Some(token).filter(|token| !token.is_empty());
                let token = token.ok_or(&failure::INVALID_ARGUMENT)?;
                let name = URL_SAFE_NO_PAD.decode(token).ok();
                let name = name.and_then(|name| String::from_utf8(name).ok());
                arena.alloc_str(&name.ok_or(&failure::INVALID_ARGUMENT)?)
            }
        };
        let query = ListQuery {
            prefix: parameter("prefix"),
            delimiter: parameter("delimiter"),
            after,
            max,
        };
        let owner = !is_v2 || parameter("fetch-owner") == "true";
        Ok(Self { arena, query, is_v2, owner, url, start_after, token })
    }

    fn text<'t>(&self, value: &'t str) -> &'t str
    where
        'a: 't,
    {
        text_of(value, self.url, self.arena)
    }

    fn write(&self, bucket: &str, page: &Page) -> Bytes {
        let mut text = Xml::new("ListBucketResult", NAMESPACE, self.arena);
        text.element("Name", bucket);
        text.element("Prefix", self.text(self.query.prefix));
        self.write_position(&mut text, page);
        write_page(&mut text, &self.query, self.url, page, |text, key, object| {
            self.write_object(text, key, object);
        });
        text.finish("ListBucketResult")
    }

    /// Where the page stands, which is all that the two versions differ in.
    fn write_position(&self, text: &mut Xml<'_>, page: &Page) {
        let last = page.entries.last().filter(|_| page.truncated).map(|entry| &*entry.name);
        if !self.is_v2 {
            text.element("Marker", self.text(self.query.after));
            if let Some(last) = last {
                text.element("NextMarker", self.text(last));
            }
            return;
        }
        if !self.start_after.is_empty() {
            text.element("StartAfter", self.text(self.start_after));
        }
        if let Some(token) = self.token {
            text.element("ContinuationToken", token);
        }
        if let Some(last) = last {
            text.element("NextContinuationToken", &URL_SAFE_NO_PAD.encode(last));
        }
        text.element("KeyCount", &page.entries.len().to_string());
    }

    fn write_object(&self, text: &mut Xml<'_>, key: &str, object: &Object) {
        text.start("Contents");
        text.element("Key", self.text(key));
        text.element("LastModified", &iso_time(object.modified));
        text.element("ETag", object.etag.as_str());
        text.element("Size", &object.body.len().to_string());
        if self.owner {
            text.owner();
        }
        text.element("StorageClass", "STANDARD");
        text.end("Contents");
    }
}

/// What listings of objects have in common behind their position, `write` telling one object.
pub fn write_page<'a>(
    text: &mut Xml<'a>,
    query: &ListQuery<'_>,
    url: bool,
    page: &Page,
    write: impl Fn(&mut Xml<'a>, &str, &Object),
) {
    let arena = text.arena();
    text.element("MaxKeys", &query.max.to_string());
    if !query.delimiter.is_empty() {
        text.element("Delimiter", text_of(query.delimiter, url, arena));
    }
    if url {
        text.element("EncodingType", "url");
    }
    text.element("IsTruncated", if page.truncated { "true" } else { "false" });
    for Entry { name, object } in &page.entries {
        if let Some(object) = object {
            write(text, name, object);
        }
    }
    for Entry { name, .. } in page.entries.iter().filter(|entry| entry.object.is_none()) {
        text.start("CommonPrefixes");
        text.element("Prefix", text_of(name, url, arena));
        text.end("CommonPrefixes");
    }
}

/// How many entries a page may have: what is asked for, but never more than the most.
pub fn page_limit(asked: &Asked, name: &str, most: usize) -> Result<usize, &'static Failure> {
    let Some(text) = asked.get(name) else {
        return Ok(most);
    };
    // 2147483647 is the most that S3 takes for a number; a sign is none of a count's digits.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let asked = text.parse().ok().filter(|asked| digits && i32::try_from(*asked).is_ok());
    let asked: u32 = asked.ok_or(&failure::INVALID_ARGUMENT)?;
    Ok(usize::try_from(asked).unwrap_or(most).min(most))
}

/// Whether the answer has its names percent-encoded.
pub fn encoding(asked: &Asked) -> Result<bool, &'static Failure> {
    match asked.get("encoding-type") {
        None => Ok(false),
        Some("url") => Ok(true),
        Some(_) => Err(&failure::INVALID_ARGUMENT),
    }
}

/// A name as the answer writes it.
pub fn text_of<'a>(value: &'a str, url: bool, arena: &'a Bump) -> &'a str {
    if url { encode_url(value, arena) } else { value }
}

/// `2026-01-31T23:59:59.000Z`, by the civil-calendar arithmetic of days since 1970 (400-year eras
/// of 146,097 days that begin in March, so that the leap day comes last). Whole seconds, as headers
/// have them.
pub fn iso_time(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(iso_time(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn bucket_names_follow_the_rules() {
        assert!(["abc", "0-a.b"].into_iter().all(is_valid_name));
        assert!(!["ab", "-ab", "ab.", "aBc", "a_c"].into_iter().any(is_valid_name));
    }
}
