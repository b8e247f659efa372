//! Frames as bytes: their heads, and the ones that a client sends.

pub const HEAD_BYTES: usize = 9;
/// What we take and send at most: the least that RFC 9113 allows to ask for.
pub const PAYLOAD_BYTES_MAX: usize = 16_384;
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const STREAM_MAX: u32 = (1 << 31) - 1;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const PRIORITISED: u8 = 32;

pub const SETTING_PUSH: u16 = 2;
pub const SETTING_STREAMS: u16 = 3;
pub const SETTING_WINDOW: u16 = 4;
pub const SETTING_FRAME: u16 = 5;
pub const SETTING_HEAD: u16 = 6;

pub const CANCEL: u32 = 8;

/// The first nine bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub length: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl Head {
    #[must_use]
    pub fn parse(bytes: [u8; HEAD_BYTES]) -> Self {
        let [a, b, c, kind, flags, stream @ ..] = bytes;
        Self {
            length: usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c),
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & STREAM_MAX,
        }
    }

    #[must_use]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub fn push(&self, out: &mut Vec<u8>) {
        let length = u32::try_from(self.length).unwrap_or(0).to_be_bytes();
        out.extend_from_slice(&length[1..]);
        out.extend_from_slice(&[self.kind, self.flags]);
        out.extend_from_slice(&self.stream.to_be_bytes());
    }
}

/// Appends a whole frame.
pub fn push(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let length = payload.len();
    let head = Head {
        length,
        kind,
        flags,
        stream,
    };
    head.push(out);
    out.extend_from_slice(payload);
}

/// Appends one parameter of a SETTINGS frame.
pub fn push_setting(id: u16, value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&value.to_be_bytes());
}

/// The four bytes at `at`, or 0 where there are none.
#[must_use]
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back() {
        let mut out = Vec::new();
        push(DATA, END_STREAM, 7, &[1; 300], &mut out);
        assert_eq!(out.len(), HEAD_BYTES + 300);
        let head = Head::parse(out[..HEAD_BYTES].try_into().unwrap());
        assert_eq!((head.length, head.kind, head.stream), (300, DATA, 7));
        assert!(head.has(END_STREAM) && !head.has(PADDED));
        assert_eq!(u32_at(&[0, 0, 1, 2, 3], 1), 0x0001_0203);
        assert_eq!(u32_at(&[0, 0], 1), 0);
    }

    #[test]
    fn the_reserved_bit_is_no_part_of_a_stream() {
        assert_eq!(Head::parse([0, 0, 0, 0, 0, 0x80, 0, 0, 3]).stream, 3);
    }
}
