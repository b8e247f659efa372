//! The headers that a GET repeats, in one buffer, as the log writes them.

use hyper::header::{HeaderName, HeaderValue};
use memchr::memchr;

pub const CONTENT_TYPE: &str = "content-type";
pub const METADATA_PREFIX: &str = "x-amz-meta-";
const CHECKSUM_PREFIX: &str = "x-amz-checksum-";
const CONTENT_TYPE_DEFAULT: &[u8] = b"binary/octet-stream";

/// Name, NUL, value, NUL for each, names in lower case, in the contract's order: the content type
/// first, which is always there, the metadata last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    text: Vec<u8>,
    metadata_at: usize,
}

impl Kept {
    /// Forgets all of them and begins with the content type; the buffer keeps its room.
    pub fn begin(&mut self, content_type: Option<&[u8]>) {
        self.text.clear();
        self.metadata_at = 0;
        let sent = content_type.filter(|value| !value.is_empty());
        self.push(CONTENT_TYPE, sent.unwrap_or(CONTENT_TYPE_DEFAULT));
    }

    /// Takes the next header; its value is empty if it could not stand in one.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        let is_value = !value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
        for part in [name.as_bytes(), b"\0", if is_value { value } else { b"" }, b"\0"] {
            self.text.extend_from_slice(part);
        }
        if !name.starts_with(METADATA_PREFIX) {
            self.metadata_at = self.text.len();
        }
    }

    /// Takes a header whose place is before the metadata, also when that has come.
    pub fn insert(&mut self, name: &str, value: &[u8]) {
        for part in [name.as_bytes(), b"\0", value, b"\0"] {
            let at = self.metadata_at;
            self.text.splice(at..at, part.iter().copied());
            self.metadata_at += part.len();
        }
    }

    /// Reads what a log holds; `None` when these are not headers.
    pub fn read(metadata: &[u8]) -> Option<Self> {
        let mut kept = Self::default();
        let content_type = pairs(metadata).find(|(name, _)| *name == CONTENT_TYPE.as_bytes());
        kept.begin(content_type.map(|(_, value)| value));
        for (name, value) in pairs(metadata) {
            let name = HeaderName::from_bytes(name).ok()?;
            HeaderValue::from_bytes(value).ok()?;
            if name != CONTENT_TYPE {
                kept.push(name.as_str(), value);
            }
        }
        Some(kept)
    }

    /// As the log has them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let text = |name| std::str::from_utf8(name).unwrap_or("");
        pairs(&self.text).map(move |(name, value)| (text(name), value))
    }

    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub fn checksums(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.iter().filter(|(name, _)| is_checksum(name))
    }
}

/// Up to the first name that is empty or has no value.
fn pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (name, behind) = rest.split_at_checked(memchr(0, rest)?)?;
        let (value, next) = behind[1..].split_at_checked(memchr(0, &behind[1..])?)?;
        rest = &next[1..];
        (!name.is_empty()).then_some((name, value))
    })
}

/// Whether a header is told only when checksums are asked for.
pub fn is_checksum(name: &str) -> bool {
    name.starts_with(CHECKSUM_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_stand_before_the_metadata_whenever_they_come() {
        let mut kept = Kept::default();
        kept.begin(Some(b""));
        kept.push("expires", b"0");
        kept.push("x-amz-meta-a", b"1");
        kept.push("x-amz-meta-b", b"\x7f");
        kept.insert("x-amz-checksum-crc32", b"AAAAAA==");
        kept.insert("x-amz-checksum-crc32c", b"AAAAAA==");
        let text =
            b"content-type\0binary/octet-stream\0expires\x000\0x-amz-checksum-crc32\0AAAAAA==\
            \0x-amz-checksum-crc32c\0AAAAAA==\0x-amz-meta-a\x001\0x-amz-meta-b\0\0";
        assert_eq!(kept.as_bytes(), text);
        assert_eq!((kept.get("expires"), kept.checksums().count()), (Some(&b"0"[..]), 2));
        assert_eq!(Kept::read(text), Some(kept));
    }

    #[test]
    fn what_a_log_holds_must_be_headers() {
        for text in [&b"a b\0c\0"[..], b"a\0\x01\0", b"\xff\0a\0"] {
            assert_eq!(Kept::read(text), None, "{text:?}");
        }
        assert_eq!(Kept::read(b"a").unwrap().iter().count(), 1);
    }
}
