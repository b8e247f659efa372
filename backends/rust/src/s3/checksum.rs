//! The checksums of S3: verified like a digest, kept with the object, told when they are asked for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderName, HeaderValue};

use super::answer;
use super::asked::Asked;
use super::failure::{self, Failure};
use super::put::METADATA_PREFIX;

const PREFIX: &str = "x-amz-checksum-";

struct Algorithm {
    header: HeaderName,
    bytes: usize,
    sum: fn(&[u8]) -> u64,
    /// What a value is that cannot be one of its sums.
    malformed: &'static Failure,
}

/// In the order in which they stand among an object's headers.
static ALGORITHMS: [Algorithm; 3] = [
    Algorithm {
        header: HeaderName::from_static("x-amz-checksum-crc32"),
        bytes: 4,
        sum: |body| crc32fast::hash(body).into(),
        malformed: &failure::BAD_DIGEST,
    },
    Algorithm {
        header: HeaderName::from_static("x-amz-checksum-crc32c"),
        bytes: 4,
        sum: |body| crc32c::crc32c(body).into(),
        malformed: &failure::INVALID_REQUEST,
    },
    Algorithm {
        header: HeaderName::from_static("x-amz-checksum-crc64nvme"),
        bytes: 8,
        sum: crc64nvme,
        malformed: &failure::INVALID_REQUEST,
    },
];

fn crc64nvme(body: &[u8]) -> u64 {
    let mut digest = crc64fast_nvme::Digest::new();
    digest.write(body);
    digest.sum64()
}

impl Algorithm {
    /// The sum in base64, as its header has it.
    fn of(&self, body: &[u8]) -> String {
        let sum = (self.sum)(body).to_be_bytes();
        STANDARD.encode(&sum[sum.len() - self.bytes..])
    }

    fn can_be(&self, text: &str) -> bool {
        STANDARD.decode(text).is_ok_and(|sum| sum.len() == self.bytes)
    }
}

/// What the client said of a body, in the order of `ALGORITHMS`, in base64.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checksums([Option<String>; ALGORITHMS.len()]);

impl Checksums {
    pub fn of_headers(asked: &Asked) -> Result<Self, &'static Failure> {
        let mut found = Self::default();
        for (algorithm, place) in ALGORITHMS.iter().zip(&mut found.0) {
            let value = asked.header(algorithm.header.as_str());
            *place = value.map(|value| String::from_utf8_lossy(value).into_owned());
        }
        found.judge_form()?;
        Ok(found)
    }

    /// Takes a line of a trailer if it is a checksum.
    pub fn take(&mut self, name: &str, value: &str) {
        if let Some(place) = place_of(name) {
            self.0[place] = Some(value.to_owned());
        }
    }

    /// Takes all that came in a trailer.
    pub fn extend(&mut self, trailer: Self) {
        for (place, value) in self.0.iter_mut().zip(trailer.0) {
            *place = value.or(place.take());
        }
    }

    /// Whether the one that was announced is there.
    pub fn has(&self, announced: Announced) -> bool {
        announced.0.is_none_or(|place| self.0[place].is_some())
    }

    pub fn verify(&self, body: &[u8]) -> Result<(), &'static Failure> {
        self.judge_form()?;
        let is_good = self.sent().all(|(algorithm, text)| algorithm.of(body) == text);
        is_good.then_some(()).ok_or(&failure::BAD_DIGEST)
    }

    fn judge_form(&self) -> Result<(), &'static Failure> {
        let malformed = self.sent().find(|(algorithm, text)| !algorithm.can_be(text));
        malformed.map_or(Ok(()), |(algorithm, _)| Err(algorithm.malformed))
    }

    fn sent(&self) -> impl Iterator<Item = (&'static Algorithm, &str)> {
        let all = ALGORITHMS.iter().zip(&self.0);
        all.filter_map(|(algorithm, text)| Some((algorithm, text.as_deref()?)))
    }

    /// As headers of an answer.
    pub fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        self.sent().map(|(algorithm, text)| {
            (algorithm.header.clone(), answer::header_value(text.as_bytes()))
        })
    }

    /// Puts them among an object's headers: before the metadata.
    pub fn keep(&self, kept: &mut Vec<(HeaderName, HeaderValue)>) {
        insert(kept, self.headers());
    }
}

/// Keeps those of a content that stays the same, where everything else about it is replaced.
pub fn carry(from: &[(HeaderName, HeaderValue)], kept: &mut Vec<(HeaderName, HeaderValue)>) {
    insert(kept, from.iter().filter(|(name, _)| is_checksum(name)).cloned());
}

fn insert(
    kept: &mut Vec<(HeaderName, HeaderValue)>,
    checksums: impl Iterator<Item = (HeaderName, HeaderValue)>,
) {
    let is_metadata = |(name, _): &(HeaderName, _)| name.as_str().starts_with(METADATA_PREFIX);
    let place = kept.iter().position(is_metadata).unwrap_or(kept.len());
    kept.splice(place..place, checksums);
}

/// The checksum that `x-amz-trailer` promises, if it is one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announced(Option<usize>);

impl Announced {
    pub fn of_headers(asked: &Asked) -> Self {
        let name = asked.text("x-amz-trailer");
        Self(name.and_then(|name| place_of(name.trim())))
    }
}

fn place_of(name: &str) -> Option<usize> {
    ALGORITHMS.iter().position(|known| name.eq_ignore_ascii_case(known.header.as_str()))
}

/// Whether an object's header is told only when checksums are asked for.
pub fn is_checksum(name: &HeaderName) -> bool {
    name.as_str().starts_with(PREFIX)
}

/// Whether a GET or HEAD asks for them.
pub fn are_asked(asked: &Asked) -> bool {
    let mode = asked.header("x-amz-checksum-mode");
    mode.is_some_and(|mode| mode.eq_ignore_ascii_case(b"enabled"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::asked::tests::asked;

    #[test]
    fn sums_have_their_check_values() {
        let sums: Vec<_> = ALGORITHMS.iter().map(|known| (known.sum)(b"123456789")).collect();
        assert_eq!(sums, [0xCBF4_3926, 0xE306_9283, 0xAE8B_1486_0A79_9888]);
        assert_eq!(ALGORITHMS[0].of(b"123456789"), "y/Q5Jg==");
    }

    #[test]
    fn every_sum_that_came_is_verified_and_kept_before_the_metadata() {
        let body = b"body";
        let mut checksums = Checksums::default();
        for known in &ALGORITHMS {
            checksums.take(known.header.as_str(), &known.of(body));
        }
        assert_eq!(checksums.verify(body), Ok(()));
        assert_eq!(checksums.verify(b"other"), Err(&failure::BAD_DIGEST));
        let value = || HeaderValue::from_static("");
        let name = HeaderName::from_static;
        let mut kept = vec![(name("cache-control"), value()), (name("x-amz-meta-a"), value())];
        checksums.keep(&mut kept);
        let names: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[0], "cache-control");
        assert_eq!(names[1..4], ALGORITHMS.each_ref().map(|known| known.header.as_str()));
        assert_eq!(names[4], "x-amz-meta-a");
    }

    #[test]
    fn what_cannot_be_a_sum_is_told_before_the_body() {
        for (name, text, refused) in [
            ("x-amz-checksum-crc32", "AAAA", &failure::BAD_DIGEST),
            ("x-amz-checksum-crc32c", "AAAAAA", &failure::INVALID_REQUEST),
            ("x-amz-checksum-crc64nvme", "AAAAAA==", &failure::INVALID_REQUEST),
        ] {
            let asked = asked("PUT", "/b/k", &[(name, text)]);
            assert_eq!(Checksums::of_headers(&asked), Err(refused), "{name}");
        }
    }
}
