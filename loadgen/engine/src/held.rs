//! Heads and lines that come in pieces: nothing is kept of those that come whole, and of the others
//! no more than a limit.

use crate::parser::{Malformed, HEAD_BYTES_MAX};

/// What has come of one; empty in the common case.
#[derive(Debug, Default)]
pub struct Held(Vec<u8>);

impl Held {
    /// Takes bytes of a head that `parse` reads: its length and what it says, or none while it is
    /// not whole. Returns how many bytes were taken of `rest`, which is not empty.
    ///
    /// # Errors
    /// As `parse`, and when the head is over the limit.
    pub fn head<T>(
        &mut self,
        rest: &[u8],
        mut parse: impl FnMut(&[u8]) -> Result<Option<(usize, T)>, Malformed>,
    ) -> Result<(usize, Option<T>), Malformed> {
        if self.0.is_empty() {
            let limit = rest.len().min(HEAD_BYTES_MAX);
            if let Some((taken, said)) = parse(&rest[..limit])? {
                return Ok((taken, Some(said)));
            }
            let taken = self.hold(rest, HEAD_BYTES_MAX, "head over the limit")?;
            return Ok((taken, None));
        }
        // A head in pieces is parsed again only when a line has ended.
        let piece = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        self.hold(&rest[..piece], HEAD_BYTES_MAX, "head over the limit")?;
        if rest[piece - 1] != b'\n' {
            return Ok((piece, None));
        }
        let parsed = parse(&self.0)?;
        if parsed.is_some() {
            self.0.clear();
        }
        Ok((piece, parsed.map(|(_, said)| said)))
    }

    /// Takes bytes of a line up to its end: how many, and whether the end was among them.
    ///
    /// # Errors
    /// When the line is over the limit.
    pub fn line(&mut self, rest: &[u8], limit: usize) -> Result<(usize, bool), Malformed> {
        let taken = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        self.hold(&rest[..taken], limit, "line over the limit")?;
        Ok((taken, rest[taken - 1] == b'\n'))
    }

    /// What was held; to be given back when it was read.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// Takes the buffer of what was read back.
    pub fn give_back(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.0 = buffer;
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn hold(&mut self, bytes: &[u8], limit: usize, what: &'static str) -> Result<usize, Malformed> {
        if self.0.len() + bytes.len() > limit {
            return Err(Malformed(what));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
}
