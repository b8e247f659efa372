//! The request target: bucket, key and query, decoded into the connection's arena.

use bumpalo::Bump;
use bumpalo::collections::Vec;
use hyper::Uri;

use super::failure::{self, Failure};

const KEY_BYTES_MAX: usize = 1024;

/// A target that was parsed; empty names where there is no bucket or no key.
#[derive(Debug)]
pub struct Target<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    query: Vec<'a, (&'a str, &'a str)>,
}

impl<'a> Target<'a> {
    pub fn parse(uri: &'a Uri, arena: &'a Bump) -> Result<Self, &'static Failure> {
        let path = uri.path().strip_prefix('/').ok_or(&failure::INVALID_URI)?;
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let bucket = decode(bucket, false, arena).ok_or(&failure::INVALID_URI)?;
        let key = decode(key, false, arena).ok_or(&failure::INVALID_URI)?;
        if key.len() > KEY_BYTES_MAX {
            return Err(&failure::KEY_TOO_LONG);
        }
        let mut query = Vec::new_in(arena);
        for pair in uri.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name, true, arena).ok_or(&failure::INVALID_URI)?;
            let value = decode(value, true, arena).ok_or(&failure::INVALID_URI)?;
            query.push((name, value));
        }
        Ok(Self { bucket, key, query })
    }

    /// Every parameter, in the order of the request.
    pub fn query(&self) -> &[(&'a str, &'a str)] {
        &self.query
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.query.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    }

    /// Whether every parameter is one of these, or `x-id`, by which the JavaScript client repeats
    /// the operation's name.
    pub fn query_only(&self, names: &[&str]) -> bool {
        let mut parameters = self.query.iter();
        parameters.all(|(name, _)| *name == "x-id" || names.contains(name))
    }
}

/// Decodes `%xx`, and `+` in a query only; `None` when it is malformed or not UTF-8.
pub fn decode<'a>(text: &'a str, plus_is_space: bool, arena: &'a Bump) -> Option<&'a str> {
    let encoded = text.contains('%') || (plus_is_space && text.contains('+'));
    if !encoded {
        return Some(text);
    }
    let mut decoded = Vec::with_capacity_in(text.len(), arena);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high << 4 | low).ok()?
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    std::str::from_utf8(decoded.into_bump_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_split_before_they_are_decoded() {
        let arena = Bump::new();
        let uri: Uri = "/b/a%2Fb+c//%20?prefix=a+b%2B&acl".parse().unwrap();
        let target = Target::parse(&uri, &arena).unwrap();
        assert_eq!((target.bucket, target.key), ("b", "a/b+c// "));
        assert_eq!(target.get("prefix"), Some("a b+"));
        assert!(target.has("acl") && !target.query_only(&["prefix"]));
    }

    #[test]
    fn malformed_escapes_are_refused() {
        let arena = Bump::new();
        for text in ["/b/%", "/b/%2", "/b/%zz", "/b/%ff"] {
            let uri: Uri = text.parse().unwrap();
            let refused = Target::parse(&uri, &arena).map(|_| ()).unwrap_err();
            assert_eq!(refused, &failure::INVALID_URI, "{text}");
        }
    }
}
