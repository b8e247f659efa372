//! Reads the framing of requests before hyper does, because hyper settles silently what the
//! contract refuses: a bare LF, a length beside a transfer coding, and a sender that stops halfway.

mod framer;
mod head;
mod io;

pub use io::{Gate, Refusals};

/// The limit of a request line and its headers together.
pub const HEAD_BYTES_MAX: usize = 16 << 10;
