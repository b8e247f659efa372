//! Gets answers to a socket: bytes of a buffer first, then what is sent from where it lies.

use std::io::{self, ErrorKind, IoSlice, Write};
use std::sync::Arc;

use bytes::Bytes;

use crate::object::Object;
use crate::s3::Part;

/// Of one write.
const PIECES_MAX: usize = 16;

/// A document, or a range of an object, and how far it is sent.
pub struct Source {
    content: Held,
    at: usize,
    end: usize,
}

enum Held {
    Document(Bytes),
    Object(Arc<Object>),
}

impl Source {
    pub fn of_document(document: Bytes) -> Self {
        Self { at: 0, end: document.len(), content: Held::Document(document) }
    }

    pub fn of_object(part: Part) -> Self {
        let (at, end) = (part.first, part.first + part.bytes);
        Self { content: Held::Object(part.object), at, end }
    }

    pub fn left(&self) -> usize {
        self.end - self.at
    }

    /// What lies together at the place that was reached.
    pub fn piece(&self) -> &[u8] {
        self.piece_at(self.at)
    }

    fn piece_at(&self, at: usize) -> &[u8] {
        let piece = match &self.content {
            Held::Document(document) => &document[at..],
            Held::Object(object) => object.body.piece_at(at),
        };
        &piece[..piece.len().min(self.end - at)]
    }

    pub fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Fills what is left of `pieces`; how many there are then.
    fn gather<'a>(&'a self, pieces: &mut [IoSlice<'a>; PIECES_MAX], mut count: usize) -> usize {
        let mut at = self.at;
        while at < self.end && count < PIECES_MAX {
            let piece = self.piece_at(at);
            pieces[count] = IoSlice::new(piece);
            (at, count) = (at + piece.len(), count + 1);
        }
        count
    }
}

/// Sends until all is gone or the socket takes no more: how much of `head` is gone, and whether the
/// socket is still good. A source that is sent whole is dropped.
pub fn send(
    socket: &mut impl Write,
    head: &[u8],
    source: &mut Option<Source>,
) -> (usize, io::Result<()>) {
    let mut gone = 0;
    while gone < head.len() || source.is_some() {
        match write_once(socket, &head[gone..], source.as_ref()) {
            Ok(sent) => {
                let of_head = sent.min(head.len() - gone);
                gone += of_head;
                advance(source, sent - of_head);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return (gone, Err(error)),
        }
    }
    (gone, Ok(()))
}

fn write_once(socket: &mut impl Write, head: &[u8], source: Option<&Source>) -> io::Result<usize> {
    let mut pieces = [IoSlice::new(&[]); PIECES_MAX];
    pieces[0] = IoSlice::new(head);
    let count = usize::from(!head.is_empty());
    let count = source.map_or(count, |source| source.gather(&mut pieces, count));
    let sent = match &pieces[..count] {
        [one] => socket.write(one)?,
        several => socket.write_vectored(several)?,
    };
    if sent == 0 { Err(ErrorKind::WriteZero.into()) } else { Ok(sent) }
}

fn advance(source: &mut Option<Source>, bytes: usize) {
    if let Some(sending) = source {
        sending.advance(bytes);
        if sending.left() == 0 {
            *source = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket that takes a few bytes at a time, and now and then none.
    struct Narrow {
        taken: Vec<u8>,
        room: usize,
        calls: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            if self.calls % 3 == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let count = data.len().min(self.room);
            self.taken.extend_from_slice(&data[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_sent_in_pieces_arrives_whole() {
        for room in 1..12 {
            let mut socket = Narrow { taken: Vec::new(), room, calls: 0 };
            let mut source = Some(Source::of_document(Bytes::from_static(b"document")));
            let mut head = &b"head "[..];
            while !head.is_empty() || source.is_some() {
                let (gone, sent) = send(&mut socket, head, &mut source);
                sent.unwrap();
                head = &head[gone..];
            }
            assert_eq!(socket.taken, b"head document", "{room}");
        }
    }
}
