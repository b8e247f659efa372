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

use hyper::body::Body;

use super::Exchange;
use super::failure::{self, Failure};
use authorization::{Authorization, Fields};
use chain::Seal;
use stamp::Stamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

impl Exchange<'_> {
    /// Judges the request's head. What its signature says of the body travels in the request's
    /// extensions: whoever reads the body finds it there.
    pub fn authenticate(&mut self) -> Result<(), &'static Failure> {
        if self.target.has("X-Amz-Signature") {
            return Err(&failure::NOT_IMPLEMENTED);
        }
        let fields = Fields::read(self.request.headers())?;
        let Some(credentials) = &self.worker.shared.credentials else { return Ok(()) };
        let fields = fields.ok_or(&failure::ACCESS_DENIED)?;
        let Some(proof) = self.verify(&fields, credentials, SystemTime::now())? else {
            return Ok(());
        };
        // A body that is not there is never read: its digest is judged here.
        if self.request.body().is_end_stream() {
            proof.judge(b"")?;
        }
        self.request.extensions_mut().insert(proof);
        Ok(())
    }

    fn verify(
        &self,
        fields: &Fields<'_>,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<Option<Proof>, &'static Failure> {
        let headers = self.request.headers();
        let by = Authorization::read(fields).ok_or(&failure::AUTHORIZATION)?;
        let secret = credentials.secret(by.id).ok_or(&failure::INVALID_ACCESS_KEY_ID)?;
        if !by.signs_what_it_must(headers) {
            return Err(&failure::ACCESS_DENIED);
        }
        let stamp = Stamp::read(headers).filter(|stamp| stamp.day() == by.day);
        let stamp = stamp.ok_or(&failure::ACCESS_DENIED)?;
        if !stamp.is_near(now) {
            return Err(&failure::REQUEST_TIME_TOO_SKEWED);
        }
        let payload = headers.get("x-amz-content-sha256").ok_or(&failure::INVALID_REQUEST)?;
        let payload = payload.to_str().map_err(|_| &failure::INVALID_ARGUMENT)?;
        let asked = canonical::Request {
            method: self.request.method().as_str(),
            path: self.request.uri().path(),
            query: self.target.query(),
            headers,
            signed: by.signed,
            payload,
        };
        let digest = asked.sha256(self.arena).ok_or(&failure::SIGNATURE_DOES_NOT_MATCH)?;
        let keys = &self.worker.keys;
        let key = keys.signing_key(&by, secret);
        let seal = Seal::of_request(&key, &stamp, by.scope, &digest, by.signature);
        let seal = seal.ok_or(&failure::SIGNATURE_DOES_NOT_MATCH)?;
        keys.keep(by.credential, key);
        Ok(Proof::of(payload, seal))
    }
}
