//! The canonical request: what a signature is made of.

use bumpalo::Bump;
use bumpalo::collections::Vec;
use sha2::{Digest, Sha256};

use super::presigned;
use crate::s3::asked::{self, Asked};
use crate::s3::xml::percent_encode;

/// A request, and what else its signature covers.
pub struct Request<'a> {
    /// Path and query are signed decoded, as the request is answered: what is signed is meant.
    pub asked: &'a Asked,
    /// Names as they were sent, `;` between them.
    pub signed: &'a str,
    /// `x-amz-content-sha256`.
    pub payload: &'a str,
}

impl Request<'_> {
    /// The digest of the canonical form; `None` when a signed header was not sent.
    pub fn sha256(&self, arena: &Bump) -> Option<[u8; 32]> {
        let mut text = Vec::with_capacity_in(1 << 10, arena);
        let path = percent_encode(&asked::decode_path(self.asked.path())?, "/", arena);
        for part in [self.asked.method_name(), "\n", path, "\n"] {
            text.extend_from_slice(part.as_bytes());
        }
        self.put_query(&mut text, arena);
        text.push(b'\n');
        for name in self.signed.split(';') {
            self.put_header(&mut text, name)?;
        }
        for part in ["\n", self.signed, "\n", self.payload] {
            text.extend_from_slice(part.as_bytes());
        }
        Some(Sha256::digest(&text).into())
    }

    /// Sorted by what is written, by name before by value.
    fn put_query(&self, text: &mut Vec<'_, u8>, arena: &Bump) {
        let encode = |value| percent_encode(value, "", arena);
        let signed = self.asked.query().filter(|(name, _)| *name != presigned::SIGNATURE);
        let pairs = signed.map(|(name, value)| (encode(name), encode(value)));
        let mut pairs = Vec::from_iter_in(pairs, arena);
        pairs.sort_unstable();
        for (number, (name, value)) in pairs.iter().enumerate() {
            let separator = if number == 0 { "" } else { "&" };
            for part in [separator, name, "=", value] {
                text.extend_from_slice(part.as_bytes());
            }
        }
    }

    /// Values of one name joined by commas, trimmed, runs of spaces folded.
    fn put_header(&self, text: &mut Vec<'_, u8>, name: &str) -> Option<()> {
        let mut separator = b':';
        text.extend_from_slice(name.as_bytes());
        for value in self.asked.all(name) {
            text.push(separator);
            separator = b',';
            let mut before = 0;
            for &byte in value.trim_ascii() {
                if byte != b' ' || before != b' ' {
                    text.push(byte);
                }
                before = byte;
            }
        }
        text.push(b'\n');
        (separator == b',').then_some(())
    }
}
