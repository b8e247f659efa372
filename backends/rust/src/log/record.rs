//! One record of the log: its bytes, and the judgement whether bytes are one.

use bytes::Bytes;

const MAGIC: &[u8; 4] = b"PMR1";
/// Of a record before its key.
pub const HEAD_BYTES: usize = 80;
/// A bucket, a slash and a key.
const KEY_BYTES_MAX: usize = 1088;
const METADATA_BYTES_MAX: usize = 16 << 10;
/// Where records begin.
pub const ALIGNMENT: usize = 8;

/// What a record says was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Put = 1,
    Delete = 2,
    CreateBucket = 3,
    DeleteBucket = 4,
}

impl Operation {
    fn of(byte: u8) -> Option<Self> {
        [Self::Put, Self::Delete, Self::CreateBucket, Self::DeleteBucket]
            .into_iter()
            .find(|operation| *operation as u8 == byte)
    }
}

/// A record's data: a stretch of the log, or an object's pieces on their way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    Read(&'a [u8]),
    Pieces(&'a [Bytes]),
}

impl<'a> Data<'a> {
    pub fn pieces(self) -> impl Iterator<Item = &'a [u8]> {
        let (read, pieces): (_, &[Bytes]) = match self {
            Self::Read(read) => (Some(read), &[]),
            Self::Pieces(pieces) => (None, pieces),
        };
        read.into_iter().chain(pieces.iter().map(AsRef::as_ref))
    }

    pub fn len(self) -> usize {
        self.pieces().map(<[u8]>::len).sum()
    }
}

/// A record; key, metadata and data are borrowed from whoever has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub lsn: u64,
    /// All records up to this one were synced when this one was made.
    pub durable_lsn: u64,
    pub epoch: u32,
    pub operation: Operation,
    /// Of a multipart object; else 0.
    pub parts: u16,
    /// `bucket/key`, or `bucket`.
    pub key: &'a [u8],
    /// `name NUL value NUL` for each kept header.
    pub metadata: &'a [u8],
    pub data: Data<'a>,
    pub md5: [u8; 16],
    pub time_ns: u64,
}

impl<'a> Record<'a> {
    /// Without the fill behind it.
    pub fn bytes(&self) -> usize {
        HEAD_BYTES + self.key.len() + self.metadata.len() + self.data.len()
    }

    /// Appends everything before the data: its checksum covers the data all the same.
    pub fn encode_head(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(self.bytes() as u64).to_le_bytes());
        out.extend_from_slice(&self.lsn.to_le_bytes());
        out.extend_from_slice(&self.durable_lsn.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&[self.operation as u8, 0]);
        out.extend_from_slice(&self.parts.to_le_bytes());
        out.extend_from_slice(&length::<2>(self.key.len()));
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&length::<4>(self.metadata.len()));
        out.extend_from_slice(&(self.data.len() as u64).to_le_bytes());
        out.extend_from_slice(&self.md5);
        out.extend_from_slice(&self.time_ns.to_le_bytes());
        out.extend_from_slice(self.key);
        out.extend_from_slice(self.metadata);
        let head_sum = crc32c::crc32c(&out[start + 8..]);
        let sum = self.data.pieces().fold(head_sum, crc32c::crc32c_append);
        out[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
    }

    /// The record that these bytes begin with, of any LSN; `None` when they are none.
    pub fn decode(bytes: &'a [u8], epoch: u32) -> Option<Self> {
        if bytes.len() < HEAD_BYTES || &bytes[..4] != MAGIC {
            return None;
        }
        let whole = usize::try_from(number(bytes, 8, 8)).ok()?;
        let key_bytes = usize::try_from(number(bytes, 40, 2)).ok()?;
        let metadata_bytes = usize::try_from(number(bytes, 44, 4)).ok()?;
        let data_bytes = usize::try_from(number(bytes, 48, 8)).ok()?;
        let sound = whole <= bytes.len()
            && (1..=KEY_BYTES_MAX).contains(&key_bytes)
            && metadata_bytes <= METADATA_BYTES_MAX
            && whole.checked_sub(HEAD_BYTES + key_bytes + metadata_bytes) == Some(data_bytes)
            && number(bytes, 32, 4) == u64::from(epoch)
            && bytes[37] == 0
            && bytes[42..44] == [0; 2];
        if !sound || u64::from(crc32c::crc32c(&bytes[8..whole])) != number(bytes, 4, 4) {
            return None;
        }
        let (key, rest) = bytes[HEAD_BYTES..whole].split_at(key_bytes);
        let (metadata, data) = rest.split_at(metadata_bytes);
        Some(Self {
            lsn: number(bytes, 16, 8),
            durable_lsn: number(bytes, 24, 8),
            epoch,
            operation: Operation::of(bytes[36])?,
            parts: u16::try_from(number(bytes, 38, 2)).ok()?,
            key,
            metadata,
            data: Data::Read(data),
            md5: bytes[56..72].try_into().ok()?,
            time_ns: number(bytes, 72, 8),
        })
    }
}

/// How many zeros stand between this many bytes and the next record.
pub fn fill(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT) - bytes
}

/// A little-endian number of `width` bytes (at most 8) at an offset that the caller has checked.
pub fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    let mut whole = [0; 8];
    whole[..width].copy_from_slice(&bytes[at..at + width]);
    u64::from_le_bytes(whole)
}

/// The low bytes of a length that the contract keeps far below what they hold.
fn length<const WIDTH: usize>(value: usize) -> [u8; WIDTH] {
    let bytes = (value as u64).to_le_bytes();
    std::array::from_fn(|at| bytes[at])
}
