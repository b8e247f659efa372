//! Signatures that continue each other: of a request, its chunks, and its trailer.

use hmac::Mac;
use sha2::{Digest, Sha256};

use super::keys::HmacSha256;
use super::stamp::Stamp;
use super::{ALGORITHM, hex};

/// The SHA-256 of nothing, which stands where a chunk's headers would.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The last signature that was found right, and what the next is made with.
#[derive(Clone, Debug)]
pub struct Seal {
    key: HmacSha256,
    /// Date and scope, a line each.
    context: String,
    last: [u8; 32],
}

impl Seal {
    /// `None` when this is not the request's signature.
    pub fn of_request(
        key: &HmacSha256,
        stamp: &Stamp,
        scope: &str,
        digest: &[u8; 32],
        signature: &str,
    ) -> Option<Self> {
        let context = format!("{}\n{scope}\n", stamp.text());
        let mut seal = Self { key: key.clone(), context, last: [0; 32] };
        seal.accepts("\n", &[&hex::encode(digest)], signature).then_some(seal)
    }

    fn accepts_chunk(&mut self, digest: &[u8; 32], signature: &str) -> bool {
        let (last, digest) = (hex::encode(&self.last), hex::encode(digest));
        let lines: [&[u8]; 5] = [&last, b"\n", EMPTY_SHA256.as_bytes(), b"\n", &digest];
        self.accepts("-PAYLOAD\n", &lines, signature)
    }

    fn accepts_trailer(&mut self, digest: &[u8; 32], signature: &str) -> bool {
        let (last, digest) = (hex::encode(&self.last), hex::encode(digest));
        self.accepts("-TRAILER\n", &[&last, b"\n", &digest], signature)
    }

    /// Compares in constant time; a signature that is right is the one to continue.
    fn accepts(&mut self, kind: &str, lines: &[&[u8]], signature: &str) -> bool {
        let Some(signature) = hex::decode(signature) else { return false };
        let mut own = self.key.clone();
        for part in [ALGORITHM, kind, &self.context] {
            own.update(part.as_bytes());
        }
        for line in lines {
            own.update(line);
        }
        self.last = signature;
        own.verify_slice(&signature).is_ok()
    }
}

/// Follows an aws-chunked body through its chunks. A signature that is wrong or missing is told at
/// the end: the connection goes on behind a body that was read.
#[derive(Clone, Debug)]
pub struct Chain {
    seal: Seal,
    /// What the chunk's line announced.
    signature: String,
    chunk: Sha256,
    trailer: Sha256,
    is_ended: bool,
    /// Whether a trailer's signature must still come.
    is_open: bool,
    is_broken: bool,
}

impl Chain {
    pub fn new(seal: Seal, with_trailer: bool) -> Self {
        Self {
            seal,
            signature: String::new(),
            chunk: Sha256::new(),
            trailer: Sha256::new(),
            is_ended: false,
            is_open: with_trailer,
            is_broken: false,
        }
    }

    /// Takes what stands behind a chunk's size.
    pub fn begin_chunk(&mut self, extension: &str) {
        extension.strip_prefix("chunk-signature=").unwrap_or("").clone_into(&mut self.signature);
    }

    pub fn data(&mut self, data: &[u8]) {
        self.chunk.update(data);
    }

    pub fn end_chunk(&mut self, is_last: bool) {
        self.is_ended = is_last;
        let digest = self.chunk.finalize_reset().into();
        self.is_broken |= !self.seal.accepts_chunk(&digest, &self.signature);
    }

    /// Takes a line of the trailer; its signature comes last.
    pub fn trailer(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("x-amz-trailer-signature") {
            let digest = self.trailer.finalize_reset().into();
            self.is_broken |= !self.is_open || !self.seal.accepts_trailer(&digest, value);
            self.is_open = false;
            return;
        }
        self.is_broken |= !self.is_open;
        for part in [&name.to_ascii_lowercase(), ":", value, "\n"] {
            self.trailer.update(part.as_bytes());
        }
    }

    /// Whether every signature came and was right.
    pub fn holds(&self) -> bool {
        self.is_ended && !self.is_open && !self.is_broken
    }
}
