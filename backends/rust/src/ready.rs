//! An object's headers as hyper sends them: made by the first answer that needs them, then shared.

use std::ops::Range;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};

use crate::kept::{CONTENT_TYPE, Kept};
use crate::object::ETag;

/// A clone of a value counts a reference: it neither copies nor reads the bytes again.
#[derive(Clone, Debug)]
pub struct Ready {
    pub etag: HeaderValue,
    pub last_modified: HeaderValue,
    /// In their order.
    pub kept: Box<[(HeaderName, HeaderValue)]>,
    /// Whether no name is kept but the content type and those in lower case.
    pub is_usual: bool,
}

impl Ready {
    pub fn new(etag: &ETag, last_modified: &[u8], kept: &Kept) -> Self {
        let mut text = Vec::with_capacity(64 + kept.as_bytes().len());
        let mut keep = |value: &[u8]| {
            text.extend_from_slice(value);
            text.len() - value.len()..text.len()
        };
        let places = (keep(etag.as_bytes()), keep(last_modified));
        // A name that cannot be one was no header before: it is in no answer either.
        let named = |name: &str| HeaderName::from_bytes(name.as_bytes()).ok();
        let kept = kept.iter().filter_map(|(name, value)| Some((named(name)?, keep(value))));
        let kept: Vec<_> = kept.collect();
        let text = Bytes::from(text);
        let value = |place: Range<usize>| {
            let shared = HeaderValue::from_maybe_shared(text.slice(place));
            shared.unwrap_or_else(|_| HeaderValue::from_static(""))
        };
        let is_lower = |name: &HeaderName| name == CONTENT_TYPE || name.as_str().starts_with("x-");
        Self {
            is_usual: kept.iter().all(|(name, _)| is_lower(name)),
            etag: value(places.0),
            last_modified: value(places.1),
            kept: kept.into_iter().map(|(name, place)| (name, value(place))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_that_were_kept_in_their_order() {
        let mut kept = Kept::default();
        kept.begin(Some(b"text/plain"));
        kept.push("x-amz-meta-a", b"");
        let etag = ETag::new([7; 16], 0);
        let usual = Ready::new(&etag, b"now", &kept);
        assert_eq!((usual.etag.as_bytes(), usual.is_usual), (etag.as_bytes(), true));
        assert_eq!(usual.last_modified, "now");
        kept.insert("expires", b"0");
        let ready = Ready::new(&etag, b"now", &kept);
        let told: Vec<_> = ready.kept.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        assert_eq!(told, kept.iter().collect::<Vec<_>>());
        assert!(!ready.is_usual);
    }
}
