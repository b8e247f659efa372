//! Signing keys: derived from a secret for one day and region, and remembered.

use std::cell::RefCell;
use std::collections::HashMap;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::authorization::Authorization;

pub type HmacSha256 = Hmac<Sha256>;

/// Many more than credentials and regions in use; at midnight they change, all of them.
const KEYS_MAX: usize = 256;

/// What one worker derived, by the whole credential, which names id, day and region.
#[derive(Debug, Default)]
pub struct Keys {
    derived: RefCell<HashMap<Box<str>, HmacSha256>>,
}

impl Keys {
    pub fn signing_key(&self, by: &Authorization<'_>, secret: &str) -> HmacSha256 {
        let known = self.derived.borrow().get(by.credential).cloned();
        known.unwrap_or_else(|| derive(secret, by.day, by.region))
    }

    /// Remembers a key that has signed something: who cannot sign cannot fill the memory.
    pub fn keep(&self, credential: &str, key: HmacSha256) {
        let mut derived = self.derived.borrow_mut();
        if derived.contains_key(credential) {
            return;
        }
        if derived.len() == KEYS_MAX {
            derived.clear();
        }
        derived.insert(credential.into(), key);
    }

    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.derived.borrow().len()
    }
}

pub fn derive(secret: &str, day: &str, region: &str) -> HmacSha256 {
    let mut key = keyed(format!("AWS4{secret}").as_bytes());
    for part in [day, region, "s3", "aws4_request"] {
        key.update(part.as_bytes());
        key = keyed(&key.finalize().into_bytes());
    }
    key
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn keyed(key: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).expect("a key of any length")
}
