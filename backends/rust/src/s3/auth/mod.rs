//! Who asks, and whether the request is theirs: AWS Signature Version 4, in the header or the URL.

mod authorization;
mod canonical;
mod chain;
mod credentials;
mod hex;
mod keys;
mod presigned;
mod proof;
mod stamp;
#[cfg(test)]
mod tests;

pub use chain::Chain;
pub use credentials::Credentials;
pub use keys::Keys;
pub use proof::Proof;

use std::time::SystemTime;

use super::Exchange;
use super::asked::Asked;
use super::failure::{self, Failure};
use authorization::{Authorization, Fields};
use chain::Seal;
use presigned::Presigned;
use stamp::Stamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

impl Exchange<'_> {
    /// Judges the request's head; what its signature says of the body, which comes later.
    pub fn authenticate(&self) -> Result<Option<Proof>, &'static Failure> {
        let claim = Claim::read(self.asked)?;
        let Some(credentials) = &self.rules.shared.credentials else { return Ok(None) };
        let claim = claim.ok_or(&failure::ACCESS_DENIED)?;
        let proof = self.verify(&claim, credentials, SystemTime::now())?;
        // A body that is not there is never read: its digest is judged here.
        if let Some(proof) = proof.as_ref().filter(|_| !self.asked.has_body()) {
            proof.judge(b"")?;
        }
        Ok(proof)
    }

    fn verify(
        &self,
        claim: &Claim<'_>,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<Option<Proof>, &'static Failure> {
        let asked = self.asked;
        let by = Authorization::read(claim.fields()).ok_or_else(|| claim.malformed())?;
        let secret = credentials.secret(by.id).ok_or(&failure::INVALID_ACCESS_KEY_ID)?;
        let stamp = claim.stamp(asked, by.day, now)?;
        if !by.signs_what_it_must(asked) {
            return Err(&failure::ACCESS_DENIED);
        }
        let payload = claim.payload(asked)?;
        let signed = canonical::Request { asked, signed: by.signed, payload };
        let digest = signed.sha256(self.arena).ok_or(&failure::SIGNATURE_DOES_NOT_MATCH)?;
        let keys = &self.rules.keys;
        let key = keys.signing_key(&by, secret);
        let seal = Seal::of_request(&key, &stamp, by.scope, &digest, by.signature);
        let seal = seal.ok_or(&failure::SIGNATURE_DOES_NOT_MATCH)?;
        keys.keep(by.credential, key);
        let proof = Proof::of(payload, seal);
        if claim.is_url() && matches!(proof, Some(Proof::Chunks(_))) {
            return Err(&failure::NOT_IMPLEMENTED); // a URL has no seal for chunks to continue
        }
        Ok(proof)
    }
}

/// Where a request says who signed it.
enum Claim<'a> {
    Header(Fields<'a>),
    Url(Presigned<'a>),
}

impl<'a> Claim<'a> {
    /// `None` where it does not say; an error where that is not well formed.
    fn read(asked: &'a Asked) -> Result<Option<Self>, &'static Failure> {
        if let Some(url) = Presigned::read(asked)? {
            return Ok(Some(Self::Url(url)));
        }
        Ok(Fields::read(asked)?.map(Self::Header))
    }

    fn fields(&self) -> &Fields<'a> {
        match self {
            Self::Header(fields) => fields,
            Self::Url(url) => &url.fields,
        }
    }

    fn is_url(&self) -> bool {
        matches!(self, Self::Url(_))
    }

    fn malformed(&self) -> &'static Failure {
        if self.is_url() { &failure::AUTHORIZATION_QUERY } else { &failure::AUTHORIZATION }
    }

    /// When it was signed: on the day of its scope, and not too long ago.
    fn stamp(&self, asked: &Asked, day: &str, now: SystemTime) -> Result<Stamp, &'static Failure> {
        let stamp = match self {
            Self::Header(_) => Stamp::read(asked),
            Self::Url(url) => Some(url.stamp.clone()),
        };
        let stamp = stamp.filter(|stamp| stamp.day() == day).ok_or(&failure::ACCESS_DENIED)?;
        match self {
            Self::Header(_) if !stamp.is_near(now) => Err(&failure::REQUEST_TIME_TOO_SKEWED),
            Self::Header(_) => Ok(stamp),
            Self::Url(url) => url.judge(now).map(|()| stamp),
        }
    }

    /// What is signed of the body; a URL that is made before its body need not say.
    fn payload(&self, asked: &'a Asked) -> Result<&'a str, &'static Failure> {
        match asked.header("x-amz-content-sha256") {
            Some(kind) => std::str::from_utf8(kind).map_err(|_| &failure::INVALID_ARGUMENT),
            None if self.is_url() => Ok("UNSIGNED-PAYLOAD"),
            None => Err(&failure::INVALID_REQUEST),
        }
    }
}
