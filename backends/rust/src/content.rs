//! An object's bytes: the one piece that a PUT brought, or the parts of an upload as they came.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};

/// Never changed, and cheap to clone: completing an upload, or copying an object, copies no bytes.
#[derive(Clone, Debug)]
pub struct Content {
    pieces: Pieces,
    bytes: usize,
}

#[derive(Clone, Debug)]
enum Pieces {
    One(Bytes),
    Many(Arc<[Bytes]>),
}

impl Content {
    pub fn of_parts(parts: Vec<Bytes>) -> Self {
        let bytes = parts.iter().map(Bytes::len).sum();
        Self { pieces: Pieces::Many(parts.into()), bytes }
    }

    /// The memory of a content that is one piece and shared with nobody, emptied.
    pub fn into_buffer(self) -> Option<BytesMut> {
        let Pieces::One(piece) = self.pieces else { return None };
        let mut buffer = piece.try_into_mut().ok()?;
        buffer.clear();
        Some(buffer)
    }

    pub fn len(&self) -> usize {
        self.bytes
    }

    pub fn pieces(&self) -> &[Bytes] {
        match &self.pieces {
            Pieces::One(piece) => std::slice::from_ref(piece),
            Pieces::Many(pieces) => pieces,
        }
    }

    /// The rest of the piece that holds this byte; nothing behind the last.
    pub fn piece_at(&self, mut at: usize) -> &[u8] {
        for piece in self.pieces() {
            if at < piece.len() {
                return &piece[at..];
            }
            at -= piece.len();
        }
        &[]
    }

    /// What an answer sends: so many bytes, as far as there are, from this one on.
    pub fn send(&self, first: usize, bytes: usize) -> Sending {
        let first = first.min(self.bytes);
        let left = bytes.min(self.bytes - first);
        match &self.pieces {
            Pieces::One(piece) => piece.slice(first..first + left).into(),
            Pieces::Many(pieces) => {
                let mut later = Later { pieces: pieces.clone(), next: 0 };
                Sending { now: later.next_from(first, left), later: Some(later), left }
            }
        }
    }

    /// A buffer of its own, of exactly the size: a slice would keep all of this object alive.
    pub fn copy(&self, first: usize, bytes: usize) -> Bytes {
        let mut sending = self.send(first, bytes);
        let mut copied = Vec::with_capacity(sending.left);
        while let Some(piece) = sending.next() {
            copied.extend_from_slice(&piece);
        }
        copied.into()
    }
}

impl Default for Content {
    fn default() -> Self {
        Bytes::new().into()
    }
}

impl From<Bytes> for Content {
    fn from(piece: Bytes) -> Self {
        Self { bytes: piece.len(), pieces: Pieces::One(piece) }
    }
}

/// The body of an answer: a content, or a range of one, a piece at a time.
#[derive(Debug)]
pub struct Sending {
    now: Bytes,
    later: Option<Later>,
    left: usize,
}

/// The pieces behind the one that is sent now.
#[derive(Debug)]
struct Later {
    pieces: Arc<[Bytes]>,
    next: usize,
}

impl Later {
    /// The rest of the piece that holds this byte, or of the first behind it that is not empty.
    fn next_from(&mut self, mut at: usize, left: usize) -> Bytes {
        while let Some(piece) = self.pieces.get(self.next) {
            self.next += 1;
            if at < piece.len() {
                return piece.slice(at..piece.len().min(at + left));
            }
            at -= piece.len();
        }
        Bytes::new()
    }
}

impl Sending {
    fn next(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        let sent = std::mem::take(&mut self.now);
        self.left -= sent.len();
        if let Some(later) = self.later.as_mut().filter(|_| self.left > 0) {
            self.now = later.next_from(0, self.left);
        }
        Some(sent)
    }
}

impl From<Bytes> for Sending {
    fn from(body: Bytes) -> Self {
        Self { left: body.len(), now: body, later: None }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_is_what_it_would_be_of_one_piece() {
        let parts = [&b"abc"[..], b"", b"d", b"efgh"];
        let many = Content::of_parts(parts.map(Bytes::from_static).to_vec());
        let one = Content::from(Bytes::from_static(b"abcdefgh"));
        assert_eq!(many.len(), one.len());
        for first in 0..=9 {
            for bytes in 0..=9 {
                assert_eq!(many.copy(first, bytes), one.copy(first, bytes), "{first} {bytes}");
            }
        }
        assert_eq!(many.copy(2, 3), &b"cde"[..]);
        assert_eq!(
            (many.piece_at(1), many.piece_at(3), many.piece_at(8)),
            (b"bc" as &[u8], b"d" as &[u8], b"" as &[u8])
        );
        assert!(many.send(8, 1).is_end_stream() && Content::of_parts(Vec::new()).len() == 0);
    }
}
