//! Records: eight bytes of head, content, padding.

use crate::request::Rest;

const VERSION: u8 = 1;
pub const HEAD_BYTES: usize = 8;
/// The most that we send in one: what the format can say, down to a multiple of eight.
pub const CONTENT_BYTES_MAX: usize = 65_528;
/// Of `END_REQUEST`.
pub const END_BYTES: usize = 8;

pub const BEGIN_REQUEST: u8 = 1;
pub const END_REQUEST: u8 = 3;
pub const PARAMS: u8 = 4;
pub const STDIN: u8 = 5;
pub const STDOUT: u8 = 6;
pub const STDERR: u8 = 7;

const RESPONDER: u8 = 1;
const KEEP_CONNECTION: u8 = 1;

/// What a record's first eight bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub kind: u8,
    pub id: u16,
    pub length: u16,
    pub padding: u8,
}

impl Head {
    /// None: not a record of this version.
    #[must_use]
    pub fn parse(bytes: [u8; HEAD_BYTES]) -> Option<Self> {
        let [version, kind, id_high, id_low, length_high, length_low, padding, _] = bytes;
        (version == VERSION).then_some(Self {
            kind,
            id: u16::from_be_bytes([id_high, id_low]),
            length: u16::from_be_bytes([length_high, length_low]),
            padding,
        })
    }

    /// Appends it.
    pub fn push(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[VERSION, self.kind]);
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.length.to_be_bytes());
        out.extend_from_slice(&[self.padding, 0]);
    }
}

/// Appends the beginning of a request; its connection is kept.
pub fn push_begin(id: u16, out: &mut Vec<u8>) {
    let content = [0, RESPONDER, KEEP_CONNECTION, 0, 0, 0, 0, 0];
    push_piece(BEGIN_REQUEST, id, &content, out);
}

/// Appends a whole stream, with the empty record that ends it.
pub fn push_stream(kind: u8, id: u16, bytes: &[u8], out: &mut Vec<u8>) {
    for piece in bytes.chunks(CONTENT_BYTES_MAX) {
        push_piece(kind, id, piece, out);
    }
    push_piece(kind, id, &[], out);
}

fn push_piece(kind: u8, id: u16, content: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX); // callers keep to the limit
    let head = Head {
        kind,
        id,
        length,
        padding: 0,
    };
    head.push(out);
    out.extend_from_slice(content);
}

/// Appends `STDIN` in full records, up to the first that reaches `limit` bytes, and its end behind
/// the body's. What is left of the body, if any.
pub fn push_body(id: u16, rest: Rest, limit: usize, out: &mut Vec<u8>) -> Option<Rest> {
    let end = out.len() + limit;
    let mut left = Some(rest).filter(|rest| rest.offset < rest.size);
    while let Some(rest) = left {
        let content = (rest.size - rest.offset).min(CONTENT_BYTES_MAX as u64);
        let head = Head {
            kind: STDIN,
            id,
            length: u16::try_from(content).unwrap_or(u16::MAX),
            padding: 0,
        };
        head.push(out);
        left = rest.render(usize::from(head.length), out);
        if left.is_some() && out.len() >= end {
            return left;
        }
    }
    push_piece(STDIN, id, &[], out);
    None
}

/// What is left of a body costs so many bytes as `push_body` sends it.
#[must_use]
pub fn body_cost_bytes(rest: Option<Rest>) -> u64 {
    rest.map_or(0, |rest| {
        let left = rest.size - rest.offset;
        left + (left.div_ceil(CONTENT_BYTES_MAX as u64) + 1) * HEAD_BYTES as u64
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;

    #[test]
    fn a_head_reads_back_and_another_version_does_not() {
        let head = Head {
            kind: STDOUT,
            id: 0x1234,
            length: 0xfffe,
            padding: 7,
        };
        let mut out = Vec::new();
        head.push(&mut out);
        assert_eq!(out, [1, 6, 0x12, 0x34, 0xff, 0xfe, 7, 0]);
        let mut bytes: [u8; HEAD_BYTES] = out.try_into().unwrap();
        assert_eq!(Head::parse(bytes), Some(head));
        bytes[0] = 2;
        assert_eq!(Head::parse(bytes), None);
    }

    /// Contents of one stream, and the sizes of its records.
    fn read(mut bytes: &[u8], kind: u8) -> (Vec<u8>, Vec<usize>) {
        let (mut content, mut sizes) = (Vec::new(), Vec::new());
        while let Some((head, rest)) = bytes.split_first_chunk() {
            let head = Head::parse(*head).unwrap();
            assert_eq!((head.kind, head.id, head.padding), (kind, 3, 0));
            let (piece, later) = rest.split_at(head.length.into());
            content.extend_from_slice(piece);
            sizes.push(piece.len());
            bytes = later;
        }
        (content, sizes)
    }

    #[test]
    fn a_stream_of_any_length_is_cut_and_ended() {
        let bytes = vec![b'x'; CONTENT_BYTES_MAX + 1];
        for (size, sizes) in [
            (0, vec![0]),
            (9, vec![9, 0]),
            (bytes.len(), vec![CONTENT_BYTES_MAX, 1, 0]),
        ] {
            let mut out = Vec::new();
            push_stream(PARAMS, 3, &bytes[..size], &mut out);
            assert_eq!(read(&out, PARAMS), (bytes[..size].to_vec(), sizes));
        }
    }

    #[test]
    fn a_body_in_pieces_is_the_whole_body_and_costs_what_was_said() {
        for size in [0, 1, 65_528, 65_529, 700_000] {
            let whole = Rest {
                index: 9,
                offset: 0,
                size,
            };
            let mut out = Vec::new();
            let mut left = push_body(3, whole, 100_000, &mut out);
            let said = out.len() as u64 + body_cost_bytes(left);
            while let Some(rest) = left {
                left = push_body(3, rest, 100_000, &mut out);
            }
            assert_eq!(out.len() as u64, said, "{size}");
            let (content, sizes) = read(&out, STDIN);
            assert_eq!(content.len() as u64, size);
            assert!(body::matches(9, 0, &content) && sizes.last() == Some(&0));
        }
    }
}
