//! The framing of HTTP/1.1: what a head must be, where a body ends, which requests are refused.

mod framer;
mod head;

pub use framer::{Framer, Phase};
pub use head::{BodyFraming, HeadFacts};

/// The limit of a request line and its headers together.
pub const HEAD_BYTES_MAX: usize = 16 << 10;
