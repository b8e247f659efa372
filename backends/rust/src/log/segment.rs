//! A segment: a file of the log, made whole before its first record.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::record::number;

pub const HEADER_BYTES: usize = 64;
const MAGIC: &[u8; 8] = b"PAUSELOG";
const VERSION: u32 = 1;
/// The next segment while it is made, before it has a first LSN.
const AHEAD: &str = "ahead.new";
static ZEROS: [u8; 1 << 20] = [0; 1 << 20];

/// What a segment's first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub epoch: u32,
    pub first_lsn: u64,
    pub bytes: u64,
}

impl Header {
    fn encode(self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[12..16].copy_from_slice(&self.epoch.to_le_bytes());
        out[16..24].copy_from_slice(&self.first_lsn.to_le_bytes());
        out[24..32].copy_from_slice(&self.bytes.to_le_bytes());
        let sum = crc32c::crc32c(&out[..32]);
        out[32..36].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// `None` when these are not the first bytes of a segment of this version.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let good = bytes.len() >= HEADER_BYTES
            && &bytes[..8] == MAGIC
            && number(bytes, 8, 4) == u64::from(VERSION)
            && number(bytes, 32, 4) == u64::from(crc32c::crc32c(&bytes[..32]));
        good.then(|| Self {
            epoch: u32::try_from(number(bytes, 12, 4)).unwrap_or(0),
            first_lsn: number(bytes, 16, 8),
            bytes: number(bytes, 24, 8),
        })
    }
}

/// The segment that is written now.
#[derive(Debug)]
pub struct Segment {
    pub file: File,
    pub header: Header,
    /// Where the next record goes.
    pub at: u64,
}

impl Segment {
    pub fn left(&self) -> u64 {
        self.header.bytes.saturating_sub(self.at)
    }

    pub fn is_empty(&self) -> bool {
        self.at == HEADER_BYTES as u64
    }

    /// Writes where the segment ends, and moves its end.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

pub fn path(directory: &Path, first_lsn: u64) -> PathBuf {
    directory.join(format!("segment-{first_lsn:016x}.log"))
}

/// The header of the segment that a path names: one of another name or size is none.
pub fn header_of(path: &Path, bytes: &[u8]) -> Option<Header> {
    let is_of = |header: &Header| {
        let named = self::path(Path::new(""), header.first_lsn);
        path.file_name() == named.file_name() && header.bytes == bytes.len() as u64
    };
    Header::decode(bytes).filter(is_of)
}

/// Every segment's path, in the order of the log.
pub fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("segment-") && name.ends_with(".log") {
            found.push(entry.path());
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Removes what a process left that ended while it made a segment.
pub fn remove_unfinished(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "new") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// A file of zeros, synced, that `begin` turns into a segment: the slow part, done ahead.
pub fn make_ahead(directory: &Path, bytes: u64) -> io::Result<File> {
    let path = directory.join(AHEAD);
    let made = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
    let filled = made.and_then(|mut file| {
        let mut left = bytes;
        while left > 0 {
            let step = left.min(ZEROS.len() as u64);
            file.write_all(&ZEROS[..usize::try_from(step).unwrap_or(ZEROS.len())])?;
            left -= step;
        }
        file.sync_data()?;
        Ok(file)
    });
    if filled.is_err() {
        let _ = fs::remove_file(&path); // a full disk gets its room back
    }
    filled
}

/// Gives the file that was made ahead its header and its name. One with the same first LSN, which
/// holds no record then, is replaced.
pub fn begin(directory: &Path, file: File, header: Header) -> io::Result<Segment> {
    file.write_all_at(&header.encode(), 0)?;
    file.sync_data()?;
    fs::rename(directory.join(AHEAD), path(directory, header.first_lsn))?;
    sync_directory(directory)?;
    Ok(Segment { file, header, at: HEADER_BYTES as u64 })
}

pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
