//! The checksums of S3: verified like a digest, kept with the object, told when they are asked for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::asked::Asked;
use super::failure::{self, Failure};

struct Algorithm {
    header: &'static str,
    bytes: usize,
    sum: fn(&[u8]) -> u64,
    /// What a value is that cannot be one of its sums.
    malformed: &'static Failure,
}

/// In the order in which they stand among an object's headers.
static ALGORITHMS: [Algorithm; 3] = [
    Algorithm {
        header: "x-amz-checksum-crc32",
        bytes: 4,
        sum: |body| crc32fast::hash(body).into(),
        malformed: &failure::BAD_DIGEST,
    },
    Algorithm {
        header: "x-amz-checksum-crc32c",
        bytes: 4,
        sum: |body| crc32c::crc32c(body).into(),
        malformed: &failure::INVALID_REQUEST,
    },
    Algorithm {
        header: "x-amz-checksum-crc64nvme",
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
    fn of(&self, body: &[u8]) -> Sum {
        let sum = (self.sum)(body).to_be_bytes();
        let mut text = [0; SUM_BYTES_MAX];
        let written = STANDARD.encode_slice(&sum[sum.len() - self.bytes..], &mut text);
        Sum { text, bytes: written.unwrap_or(0) }
    }

    fn can_be(&self, sum: &Sum) -> bool {
        let mut decoded = [0; SUM_BYTES_MAX];
        let size = STANDARD.decode_slice(sum.as_bytes(), &mut decoded);
        size.is_ok_and(|bytes| bytes == self.bytes)
    }
}

/// Of the longest sum in base64.
const SUM_BYTES_MAX: usize = 12;

/// A sum as a header has it; empty, and so none, when the text was longer than any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sum {
    text: [u8; SUM_BYTES_MAX],
    bytes: usize,
}

impl Sum {
    fn read(value: &[u8]) -> Self {
        let mut sum = Self { text: [0; SUM_BYTES_MAX], bytes: 0 };
        if let Some(place) = sum.text.get_mut(..value.len()) {
            place.copy_from_slice(value);
            sum.bytes = value.len();
        }
        sum
    }

    fn as_bytes(&self) -> &[u8] {
        &self.text[..self.bytes]
    }
}

/// What the client said of a body, in the order of `ALGORITHMS`, in base64.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checksums([Option<Sum>; ALGORITHMS.len()]);

impl Checksums {
    pub fn of_headers(asked: &Asked) -> Result<Self, &'static Failure> {
        let mut found = Self::default();
        for (algorithm, place) in ALGORITHMS.iter().zip(&mut found.0) {
            let value = asked.header(algorithm.header);
            *place = value.map(Sum::read);
        }
        found.judge_form()?;
        Ok(found)
    }

    /// Takes a line of a trailer if it is a checksum.
    pub fn take(&mut self, name: &str, value: &str) {
        if let Some(place) = place_of(name) {
            self.0[place] = Some(Sum::read(value.as_bytes()));
        }
    }

    /// Takes all that came in a trailer.
    pub fn extend(&mut self, trailer: &Self) {
        for (place, value) in self.0.iter_mut().zip(&trailer.0) {
            *place = value.or(*place);
        }
    }

    /// Whether the one that was announced is there.
    pub fn has(&self, announced: Announced) -> bool {
        announced.0.is_none_or(|place| self.0[place].is_some())
    }

    pub fn verify(&self, body: &[u8]) -> Result<(), &'static Failure> {
        self.judge_form()?;
        let is_good = self.sent().all(|(algorithm, sum)| algorithm.of(body) == *sum);
        is_good.then_some(()).ok_or(&failure::BAD_DIGEST)
    }

    fn judge_form(&self) -> Result<(), &'static Failure> {
        let malformed = self.sent().find(|(algorithm, sum)| !algorithm.can_be(sum));
        malformed.map_or(Ok(()), |(algorithm, _)| Err(algorithm.malformed))
    }

    fn sent(&self) -> impl Iterator<Item = (&'static Algorithm, &Sum)> {
        let all = ALGORITHMS.iter().zip(&self.0);
        all.filter_map(|(algorithm, sum)| Some((algorithm, sum.as_ref()?)))
    }

    /// As headers.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.sent().map(|(algorithm, sum)| (algorithm.header, sum.as_bytes()))
    }
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
    ALGORITHMS.iter().position(|known| name.eq_ignore_ascii_case(known.header))
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
        assert_eq!(ALGORITHMS[0].of(b"123456789").as_bytes(), b"y/Q5Jg==");
    }

    #[test]
    fn every_sum_that_came_is_verified_and_told() {
        let body = b"body";
        let mut checksums = Checksums::default();
        for known in &ALGORITHMS {
            let sum = known.of(body);
            checksums.take(known.header, std::str::from_utf8(sum.as_bytes()).unwrap());
        }
        assert_eq!(checksums.verify(body), Ok(()));
        assert_eq!(checksums.verify(b"other"), Err(&failure::BAD_DIGEST));
        let names: Vec<_> = checksums.headers().map(|(name, _)| name).collect();
        assert_eq!(names[..], ALGORITHMS.each_ref().map(|known| known.header));
    }

    #[test]
    fn what_cannot_be_a_sum_is_told_before_the_body() {
        for (name, text, refused) in [
            ("x-amz-checksum-crc32", "AAAA", &failure::BAD_DIGEST),
            ("x-amz-checksum-crc32c", "AAAAAA", &failure::INVALID_REQUEST),
            ("x-amz-checksum-crc64nvme", "AAAAAA==", &failure::INVALID_REQUEST),
            ("x-amz-checksum-crc64nvme", "AAAAAAAAAAAAA", &failure::INVALID_REQUEST),
        ] {
            let asked = asked("PUT", "/b/k", &[(name, text)]);
            assert_eq!(Checksums::of_headers(&asked), Err(refused), "{name}");
        }
    }
}
