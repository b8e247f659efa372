//! What a GET's query tells in place of kept headers.

use super::answer::Headers;
use super::asked::Asked;
use super::failure::{self, Failure};
use crate::kept::CONTENT_TYPE;
use crate::object::Object;

const PREFIX: &str = "response-";

/// In the order in which they are told.
const NAMES: [&str; 6] = [
    CONTENT_TYPE,
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
];

/// A value for each of `NAMES`, if the query has one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Overrides([Option<Box<str>>; NAMES.len()]);

impl Overrides {
    /// `None` without any: no other GET needs room for them.
    pub fn read(asked: &Asked) -> Result<Option<Box<Self>>, &'static Failure> {
        if !asked.query().any(|(name, _)| name.starts_with(PREFIX)) {
            return Ok(None);
        }
        let mut read = Self::default();
        for (name, place) in NAMES.iter().zip(&mut read.0) {
            let asked_for = |known: &str| known.strip_prefix(PREFIX) == Some(*name);
            let found = asked.query().find(|(known, _)| asked_for(known));
            let Some((_, value)) = found.filter(|(_, value)| !value.is_empty()) else { continue };
            // Whoever made the URL may not write headers of their own.
            if value.bytes().any(|byte| byte.is_ascii_control()) {
                return Err(&failure::INVALID_ARGUMENT);
            }
            *place = Some(value.into());
        }
        Ok(Some(Box::new(read)))
    }

    /// The headers of the contract's own that an object keeps, these in the place of its own.
    pub fn tell(&self, object: &Object, to: &mut impl Headers) {
        for (name, asked_for) in NAMES.iter().zip(&self.0) {
            let asked_for = asked_for.as_ref().map(|value| value.as_bytes());
            if let Some(value) = asked_for.or_else(|| object.kept.get(name)) {
                to.add(name, value);
            }
        }
    }

    pub fn covers(name: &str) -> bool {
        NAMES.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::asked::tests::asked;

    fn read(query: &str) -> Result<Option<Box<Overrides>>, &'static Failure> {
        let mut asked = asked("GET", &format!("/b/k?{query}"), &[]);
        asked.route().unwrap();
        Overrides::read(&asked)
    }

    #[test]
    fn only_values_that_can_stand_in_a_header_are_taken() {
        assert_eq!(read("x=1"), Ok(None));
        let found = read("response-expires=a%C3%A4&response-content-type=&response-other=%00");
        let found = found.unwrap().unwrap();
        assert_eq!(found.0[5], Some("aä".into()));
        assert!(found.0[..5].iter().all(Option::is_none));
        for value in ["%0A", "a%7F", "%09"] {
            let refused = read(&format!("response-cache-control={value}"));
            assert_eq!(refused, Err(&failure::INVALID_ARGUMENT), "{value}");
        }
    }
}
