//! What a request's signature says of its body, which comes later.

use sha2::{Digest, Sha256};

use super::chain::{Chain, Seal};
use super::hex;
use crate::s3::failure::{self, Failure};

#[derive(Clone, Debug)]
pub enum Proof {
    /// The body has this digest.
    Sha256([u8; 32]),
    /// Each chunk is signed.
    Chunks(Box<Chain>),
}

impl Proof {
    /// `None` where the body is not signed, or its kind is one that the body's reader refuses.
    pub fn of(payload: &str, seal: Seal) -> Option<Self> {
        let chain = |seal, with_trailer| Some(Self::Chunks(Chain::new(seal, with_trailer).into()));
        match payload {
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => chain(seal, false),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => chain(seal, true),
            digest => hex::decode(digest).map(Self::Sha256),
        }
    }

    /// What must see the chunks while they are decoded.
    pub fn chain(&mut self) -> Option<&mut Chain> {
        if let Self::Chunks(chain) = self { Some(chain) } else { None }
    }

    /// Judges a body that came whole.
    pub fn judge(&self, body: &[u8]) -> Result<(), &'static Failure> {
        match self {
            Self::Sha256(digest) if <[u8; 32]>::from(Sha256::digest(body)) != *digest => {
                Err(&failure::CONTENT_SHA256_MISMATCH)
            }
            Self::Chunks(chain) if !chain.holds() => Err(&failure::SIGNATURE_DOES_NOT_MATCH),
            Self::Sha256(_) | Self::Chunks(_) => Ok(()),
        }
    }
}
