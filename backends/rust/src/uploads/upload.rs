//! One upload: its id, what it was begun with, and its parts.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use bytes::Bytes;

use crate::kept::Kept;

/// 32 hex digits where it is read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UploadId(u128);

impl UploadId {
    pub fn new() -> Self {
        // The standard library's hashers are keyed at random: all the chance that an id needs.
        let half = || u128::from(RandomState::new().hash_one(SystemTime::now()));
        Self(half() << 64 | half())
    }

    /// `None` when these are not the digits of an id as it was told.
    pub fn parse(text: &str) -> Option<Self> {
        let good = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let whole = text.len() == 32 && text.bytes().all(good);
        u128::from_str_radix(text, 16).ok().filter(|_| whole).map(Self)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

/// A part that came whole; its room in the store is accounted.
#[derive(Clone, Debug)]
pub struct Part {
    pub body: Bytes,
    pub md5: [u8; 16],
    pub modified: SystemTime,
}

/// What an upload was begun with, and what has come since.
#[derive(Debug)]
pub struct Upload {
    pub begun: SystemTime,
    pub kept: Kept,
    pub parts: BTreeMap<u16, Part>,
}

impl Upload {
    pub fn new(kept: Kept) -> Self {
        Self { begun: SystemTime::now(), kept, parts: BTreeMap::new() }
    }

    pub fn bytes(&self) -> u64 {
        self.parts.values().map(|part| part.body.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_only_as_they_are_written() {
        let id = UploadId::new();
        assert_eq!(UploadId::parse(&id.to_string()), Some(id));
        assert_ne!(UploadId::new(), id);
        for text in ["", "0", "+0000000000000000000000000000000", &"A".repeat(32)] {
            assert_eq!(UploadId::parse(text), None, "{text}");
        }
    }
}
