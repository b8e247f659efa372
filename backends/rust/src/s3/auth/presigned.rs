//! A presigned URL: the query's parameters in the place of the `Authorization` header.

use std::time::{Duration, SystemTime};

use super::ALGORITHM;
use super::authorization::Fields;
use super::stamp::Stamp;
use crate::s3::asked::Asked;
use crate::s3::failure::{self, Failure};
use crate::s3::get::number;

/// The parameter that is not signed itself.
pub const SIGNATURE: &str = "X-Amz-Signature";
const NAMES: [&str; 6] = [
    "X-Amz-Algorithm",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Credential",
    "X-Amz-SignedHeaders",
    SIGNATURE,
];
/// A week.
const EXPIRES_S_MAX: u64 = 604_800;

/// What such a URL says.
pub struct Presigned<'a> {
    pub fields: Fields<'a>,
    pub stamp: Stamp,
    lifetime: Duration,
}

impl<'a> Presigned<'a> {
    /// `None` where the query authenticates nothing; an error where it is not well formed.
    pub fn read(asked: &'a Asked) -> Result<Option<Self>, &'static Failure> {
        if !asked.has(NAMES[0]) && !asked.has(SIGNATURE) {
            return Ok(None);
        }
        if asked.header("authorization").is_some() {
            return Err(&failure::INVALID_ARGUMENT);
        }
        Self::parse(asked).map(Some).ok_or(&failure::AUTHORIZATION_QUERY)
    }

    fn parse(asked: &'a Asked) -> Option<Self> {
        let mut found = [""; NAMES.len()];
        for (name, value) in asked.query() {
            let Some(place) = NAMES.iter().position(|known| *known == name) else { continue };
            if !found[place].is_empty() || value.is_empty() {
                return None;
            }
            found[place] = value;
        }
        let [algorithm, date, expires, credential, signed, signature] = found;
        let has_text = [credential, signed, signature].iter().all(|text| !text.is_empty());
        let expires_s = number(expires).filter(|count| (1..=EXPIRES_S_MAX).contains(count))?;
        (algorithm == ALGORITHM && has_text).then_some(())?;
        Some(Self {
            fields: Fields::new(credential, signed, signature),
            stamp: Stamp::of_basic_form(date)?,
            lifetime: Duration::from_secs(expires_s),
        })
    }

    /// Judges the time of its use: the clock of whoever signed may be ahead of this one.
    pub fn judge(&self, now: SystemTime) -> Result<(), &'static Failure> {
        match now.duration_since(self.stamp.time()) {
            Err(_) if !self.stamp.is_near(now) => Err(&failure::REQUEST_TIME_TOO_SKEWED),
            Ok(age) if age > self.lifetime => Err(&failure::ACCESS_DENIED),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::asked::tests::asked;

    const GOOD: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=0\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host";

    fn lifetime(query: &str) -> Result<Option<Duration>, &'static Failure> {
        let mut asked = asked("GET", &format!("/b/k?{query}"), &[]);
        asked.route().unwrap();
        Presigned::read(&asked).map(|read| read.map(|read| read.lifetime))
    }

    #[test]
    fn every_parameter_comes_once_and_has_its_form() {
        assert_eq!(lifetime("x=1&X-Amz-Date=1"), Ok(None));
        assert_eq!(lifetime(GOOD), Ok(Some(Duration::from_secs(60))));
        let twice = format!("{GOOD}&X-Amz-Expires=60");
        for query in [
            "X-Amz-Signature=0",
            &twice,
            &GOOD.replace("=60", "=0"),
            &GOOD.replace("=60", "=%2B60"),
            &GOOD.replace("=60", "=604801"),
            &GOOD.replace("=60", "="),
            &GOOD.replace("20130524", "20130532"),
            &GOOD.replace("SHA256", "SHA1"),
        ] {
            assert_eq!(lifetime(query), Err(&failure::AUTHORIZATION_QUERY), "{query}");
        }
    }

    #[test]
    fn its_time_ends_to_the_second() {
        let mut asked = asked("GET", &format!("/b/k?{GOOD}"), &[]);
        asked.route().unwrap();
        let read = Presigned::read(&asked).unwrap().unwrap();
        let signed = read.stamp.time();
        for (now, judged) in [
            (signed + Duration::from_secs(60), Ok(())),
            (signed + Duration::from_secs(61), Err(&failure::ACCESS_DENIED)),
            (signed - Duration::from_secs(900), Ok(())),
            (signed - Duration::from_secs(901), Err(&failure::REQUEST_TIME_TOO_SKEWED)),
        ] {
            assert_eq!(read.judge(now), judged);
        }
    }
}
