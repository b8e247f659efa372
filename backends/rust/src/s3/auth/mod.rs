//! Who asks, and whether the request is theirs: AWS Signature Version 4 in the header.

mod authorization;
mod canonical;
mod chain;
mod credentials;
mod hex;
mod keys;
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
use super::failure::{self, Failure};
use authorization::{Authorization, Fields};
use chain::Seal;
use stamp::Stamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

impl Exchange<'_> {
    /// Judges the request's head; what its signature says of the body, which comes later.
    pub fn authenticate(&self) -> Result<Option<Proof>, &'static Failure> {
        if self.asked.has("X-Amz-Signature") {
            return Err(&failure::NOT_IMPLEMENTED);
        }
        let fields = Fields::read(self.asked)?;
        let Some(credentials) = &self.rules.shared.credentials else { return Ok(None) };
        let fields = fields.ok_or(&failure::ACCESS_DENIED)?;
        let proof = self.verify(&fields, credentials, SystemTime::now())?;
        // A body that is not there is never read: its digest is judged here.
        if let Some(proof) = proof.as_ref().filter(|_| !self.asked.has_body()) {
            proof.judge(b"")?;
        }
        Ok(proof)
    }

    fn verify(
        &self,
        fields: &Fields<'_>,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<Option<Proof>, &'static Failure> {
        let asked = self.asked;
        let by = Authorization::read(fields).ok_or(&failure::AUTHORIZATION)?;
        let secret = credentials.secret(by.id).ok_or(&failure::INVALID_ACCESS_KEY_ID)?;
        if !by.signs_what_it_must(asked) {
            return Err(&failure::ACCESS_DENIED);
        }
        let stamp = Stamp::read(asked).filter(|stamp| stamp.day() == by.day);
        let stamp = stamp.ok_or(&failure::ACCESS_DENIED)?;
        if !stamp.is_near(now) {
            return Err(&failure::REQUEST_TIME_TOO_SKEWED);
        }
        let payload = asked.header("x-amz-content-sha256").ok_or(&failure::INVALID_REQUEST)?;
        let payload = std::str::from_utf8(payload).map_err(|_| &failure::INVALID_ARGUMENT)?;
        let signed = canonical::Request { asked, signed: by.signed, payload };
        let digest = signed.sha256(self.arena).ok_or(&failure::SIGNATURE_DOES_NOT_MATCH)?;
        let keys = &self.rules.keys;
        let key = keys.signing_key(&by, secret);
        let seal = Seal::of_request(&key, &stamp, by.scope, &digest, by.signature);
        let seal = seal.ok_or(&failure::SIGNATURE_DOES_NOT_MATCH)?;
        keys.keep(by.credential, key);
        Ok(Proof::of(payload, seal))
    }
}
