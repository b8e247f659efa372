//! What a key names: its content, and what its headers say.

use std::sync::OnceLock;
use std::time::SystemTime;

use crate::content::Content;
use crate::kept::Kept;
use crate::ready::Ready;

/// It is never changed while others see it.
#[derive(Clone, Debug)]
pub struct Object {
    pub body: Content,
    /// Of a multipart object; else 0.
    pub parts: u16,
    /// Computed once, on PUT; of a multipart object that of its parts' MD5s.
    pub md5: [u8; 16],
    pub etag: ETag,
    pub modified: SystemTime,
    /// `modified` as a header has it.
    pub last_modified: [u8; 29],
    pub kept: Kept,
    /// Of hyper alone, and only once it was asked for; boxed, since most stores hold many objects.
    pub ready: OnceLock<Box<Ready>>,
}

impl Object {
    /// Nothing yet.
    pub fn blank() -> Self {
        Self {
            body: Content::default(),
            parts: 0,
            md5: [0; 16],
            etag: ETag::new([0; 16], 0),
            modified: SystemTime::UNIX_EPOCH,
            last_modified: [b' '; 29],
            kept: Kept::default(),
            ready: OnceLock::new(),
        }
    }

    /// Its headers for hyper, made when they are asked for first.
    pub fn ready(&self) -> &Ready {
        let make = || Box::new(Ready::new(&self.etag, &self.last_modified, &self.kept));
        self.ready.get_or_init(make)
    }
}

/// Two quotes, an MD5 in hex, and a count of parts behind a hyphen.
const ETAG_BYTES_MAX: usize = 2 + 32 + 6;

/// An entity tag as a header has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ETag {
    text: [u8; ETAG_BYTES_MAX],
    bytes: usize,
}

impl ETag {
    /// Of a content, or of so many parts.
    pub fn new(md5: [u8; 16], parts: u16) -> Self {
        let mut text = [b'"'; ETAG_BYTES_MAX];
        for (place, byte) in text[1..33].chunks_exact_mut(2).zip(md5) {
            let digit = |half: u8| b"0123456789abcdef"[usize::from(half & 15)];
            place.copy_from_slice(&[digit(byte >> 4), digit(byte)]);
        }
        let mut end = 33;
        if parts > 0 {
            text[end] = b'-';
            end += 1 + parts.ilog10() as usize + 1;
            let mut left = parts;
            for place in text[34..end].iter_mut().rev() {
                *place = b'0' + (left % 10).to_le_bytes()[0];
                left /= 10;
            }
            text[end] = b'"';
        }
        Self { text, bytes: end + 1 }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..self.bytes]
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_tells_how_many_parts_there_were() {
        let hex = "ab".repeat(16);
        for (parts, behind) in [(0, ""), (1, "-1"), (10, "-10"), (u16::MAX, "-65535")] {
            let tag = ETag::new([0xab; 16], parts);
            assert_eq!(tag.as_str(), format!("\"{hex}{behind}\""));
        }
    }
}
