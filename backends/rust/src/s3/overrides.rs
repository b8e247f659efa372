//! What a GET's query tells in place of kept headers.

use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES,
    HeaderName, HeaderValue,
};

use super::answer::{Headers, header_value};
use super::asked::Asked;
use super::failure::{self, Failure};
use crate::store::Object;

const PREFIX: &str = "response-";

/// In the order in which they are told.
static NAMES: [HeaderName; 6] =
    [CONTENT_TYPE, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, EXPIRES];

/// A value for each of `NAMES`, if the query has one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Overrides([Option<HeaderValue>; NAMES.len()]);

impl Overrides {
    /// `None` without any: no other GET needs room for them.
    pub fn read(asked: &Asked) -> Result<Option<Box<Self>>, &'static Failure> {
        if !asked.query().any(|(name, _)| name.starts_with(PREFIX)) {
            return Ok(None);
        }
        let mut read = Self::default();
        for (name, place) in NAMES.iter().zip(&mut read.0) {
            let asked_for = |known: &str| known.strip_prefix(PREFIX) == Some(name.as_str());
            let found = asked.query().find(|(known, _)| asked_for(known));
            let Some((_, value)) = found.filter(|(_, value)| !value.is_empty()) else { continue };
            // Whoever made the URL may not write headers of their own.
            if value.bytes().any(|byte| byte.is_ascii_control()) {
                return Err(&failure::INVALID_ARGUMENT);
            }
            *place = Some(header_value(value.as_bytes()));
        }
        Ok(Some(Box::new(read)))
    }

    /// The headers of the contract's own that an object keeps, these in the place of its own.
    pub fn tell(&self, object: &Object, to: &mut impl Headers) {
        for (name, asked_for) in NAMES.iter().zip(&self.0) {
            let own = object.kept.iter().find(|(known, _)| known == name).map(|(_, value)| value);
            let own = if name == CONTENT_TYPE { Some(&object.content_type) } else { own };
            if let Some(value) = asked_for.as_ref().or(own) {
                to.kept(name, value);
            }
        }
    }

    pub fn covers(name: &HeaderName) -> bool {
        NAMES.contains(name)
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
        assert_eq!(found.0[5], Some(header_value("aä".as_bytes())));
        assert!(found.0[..5].iter().all(Option::is_none));
        for value in ["%0A", "a%7F", "%09"] {
            let refused = read(&format!("response-cache-control={value}"));
            assert_eq!(refused, Err(&failure::INVALID_ARGUMENT), "{value}");
        }
    }
}
