//! AWS Signature Version 4 for S3, in headers: `host`, `x-amz-content-sha256` and `x-amz-date`.

use crate::calendar;
use crate::fault::Fault;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt;

const ALGORITHM: &[u8] = b"AWS4-HMAC-SHA256";
const SIGNED: &[u8] = b"host;x-amz-content-sha256;x-amz-date";
const UNSIGNED: &[u8] = b"UNSIGNED-PAYLOAD";
const KEY_BYTES_MAX: usize = 256;
const REGION_BYTES_MAX: usize = 64;

/// Who signs. Its `Debug` tells no key.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    access_key: String,
    secret_key: String,
    #[serde(default = "default_region")]
    region: String,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Credentials({})", self.region)
    }
}

impl Credentials {
    /// Refuses what no header can carry; the fault tells no key.
    ///
    /// # Errors
    /// The first key that is wrong, under `target.credentials.`.
    pub fn validate(&self) -> Result<(), Fault> {
        let refused = |key: &str, expected: String, found: String| {
            let place = format!("target.credentials.{key}");
            Err(Fault::usage(place, "out of its form", expected, found))
        };
        let visible = |byte: u8| byte.is_ascii_graphic();
        let plain = |byte: u8| visible(byte) && !b"/,=".contains(&byte);
        let bytes = format!("1 to {KEY_BYTES_MAX} visible ASCII characters");
        let size = |text: &str| format!("{} bytes (not shown)", text.len());
        let fits = |text: &str| (1..=KEY_BYTES_MAX).contains(&text.len());
        if !fits(&self.access_key) || !self.access_key.bytes().all(plain) {
            let expected = format!("{bytes}, none of / , =");
            return refused("access_key", expected, size(&self.access_key));
        }
        if !fits(&self.secret_key) || !self.secret_key.bytes().all(visible) {
            return refused("secret_key", bytes, size(&self.secret_key));
        }
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(1..=REGION_BYTES_MAX).contains(&self.region.len()) || !self.region.bytes().all(known) {
            let expected = format!("1 to {REGION_BYTES_MAX} of A-Za-z0-9-");
            return refused("region", expected, format!("{:?}", self.region));
        }
        Ok(())
    }
}

/// What the signature says of a body.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// Nothing: `UNSIGNED-PAYLOAD`.
    #[default]
    Unsigned,
    /// Its SHA-256.
    Hex,
}

/// The value of `x-amz-content-sha256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Unsigned,
    Hex([u8; 64]),
}

impl Content {
    /// Of a body whose bytes went into `hash`.
    #[must_use]
    pub fn of(hash: Sha256) -> Self {
        Self::Hex(hex(&hash.finalize().into()))
    }

    #[must_use]
    pub fn text(&self) -> &[u8] {
        match self {
            Self::Unsigned => UNSIGNED,
            Self::Hex(digits) => digits,
        }
    }
}

/// The headers that a signature adds.
#[derive(Clone, Debug)]
pub struct Stamp {
    pub date: [u8; 16],
    pub content: Content,
    pub authorization: Vec<u8>,
}

/// Signs for one Host, with the key of the day kept.
#[derive(Clone)]
pub struct Signer {
    credentials: Credentials,
    pub payload: Payload,
    host: Vec<u8>,
    empty: Content,
    second: u64,
    /// `/region/s3/aws4_request` behind the day.
    scope: Vec<u8>,
    key: Hmac<Sha256>,
    /// Of `stamp.authorization`: what stays the same for a day.
    lasting_bytes: usize,
    stamp: Stamp,
}

/// Tells no key.
impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Signer({:?})", self.credentials)
    }
}

/// What is signed: the method, path and query as S3 writes them (`canonical`), and the body.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a [u8],
    pub path: &'a [u8],
    pub query: &'a [u8],
    pub content: Content,
}

impl Signer {
    #[must_use]
    pub fn new(credentials: &Credentials, payload: Payload, host: &[u8]) -> Self {
        let stamp = Stamp {
            date: calendar::basic_form(0),
            content: Content::Unsigned,
            authorization: Vec::with_capacity(512),
        };
        let mut signer = Self {
            credentials: credentials.clone(),
            payload,
            host: host.to_vec(),
            empty: match payload {
                Payload::Unsigned => Content::Unsigned,
                Payload::Hex => Content::of(Sha256::new()),
            },
            second: 0,
            scope: Vec::new(),
            key: keyed(b""),
            lasting_bytes: 0,
            stamp,
        };
        signer.begin_day();
        signer
    }

    /// What the signature says of no body, or of one that nobody hashes.
    #[must_use]
    pub fn bodiless(&self) -> Content {
        self.empty
    }

    /// The headers for `request`, signed at `second` since the epoch.
    pub fn stamp(&mut self, request: &Request, second: u64) -> &Stamp {
        if second != self.second {
            let date = calendar::basic_form(second);
            let turned = date[..8] != self.stamp.date[..8];
            (self.second, self.stamp.date) = (second, date);
            if turned {
                self.begin_day();
            }
        }
        let signature = self.signature(request);
        self.stamp.content = request.content;
        let authorization = &mut self.stamp.authorization;
        authorization.truncate(self.lasting_bytes);
        authorization.extend_from_slice(&signature);
        &self.stamp
    }

    fn signature(&self, request: &Request) -> [u8; 64] {
        let content = request.content.text();
        let mut hash = Sha256::new();
        for part in [
            request.method,
            b"\n",
            request.path,
            b"\n",
            request.query,
            b"\nhost:",
            &self.host,
            b"\nx-amz-content-sha256:",
            content,
            b"\nx-amz-date:",
            &self.stamp.date,
            b"\n\n",
            SIGNED,
            b"\n",
            content,
        ] {
            hash.update(part);
        }
        let mut mac = self.key.clone();
        for part in [
            ALGORITHM,
            b"\n",
            &self.stamp.date,
            b"\n",
            &self.stamp.date[..8],
            &self.scope,
            b"\n",
            &hex(&hash.finalize().into()),
        ] {
            mac.update(part);
        }
        hex(&mac.finalize().into_bytes().into())
    }

    fn begin_day(&mut self) {
        let Credentials {
            access_key,
            secret_key,
            region,
        } = &self.credentials;
        let day = &self.stamp.date[..8];
        self.scope = format!("/{region}/s3/aws4_request").into_bytes();
        let mut key = [b"AWS4", secret_key.as_bytes()].concat();
        for part in [day, region.as_bytes(), b"s3", b"aws4_request"] {
            let mut mac = keyed(&key);
            mac.update(part);
            key = mac.finalize().into_bytes().to_vec();
        }
        self.key = keyed(&key);
        self.stamp.authorization = [
            ALGORITHM,
            b" Credential=",
            access_key.as_bytes(),
            b"/",
            day,
            &self.scope,
            b", SignedHeaders=",
            SIGNED,
            b", Signature=",
        ]
        .concat();
        self.lasting_bytes = self.stamp.authorization.len();
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    match Hmac::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of every length"),
    }
}

fn hex(digest: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = [0; 64];
    for (pair, byte) in out.chunks_exact_mut(2).zip(digest) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    out
}

/// A request's target as the signature has it: the path decoded and encoded again, `/` kept, and
/// the query's parameters each encoded so and sorted.
#[must_use]
pub fn canonical(target: &str) -> (Vec<u8>, Vec<u8>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut out = Vec::new();
    encode(path, true, &mut out);
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    let mut pairs: Vec<_> = parameters
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let (mut first, mut second) = (Vec::new(), Vec::new());
            encode(name, false, &mut first);
            encode(value, false, &mut second);
            (first, second)
        })
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| [name, value].join(&b'='))
        .collect();
    (out, pairs.join(&b'&'))
}

fn encode(text: &str, slashes: bool, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        at += if escaped.is_some() { 3 } else { 1 };
        let byte = escaped.unwrap_or_else(|| bytes[at - 1]);
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (slashes && byte == b'/') {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

#[cfg(test)]
#[path = "signing_tests.rs"]
mod tests;
