//! Reads the log at start: every record up to the hole, and the judgement what the hole is.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::record::{ALIGNMENT, HEAD_BYTES, Record, fill};
use super::segment::{self, HEADER_BYTES, Header, Segment};
use super::{LogError, Settings};

/// A log that was read to its end, ready to go on.
#[derive(Debug)]
pub struct Recovered {
    pub last_lsn: u64,
    /// The segment to go on in; `None` when the log is new or its last segment had no header yet.
    pub segment: Option<Segment>,
    /// Of all segments together.
    pub segments_bytes: u64,
    /// Held while the process lives, so that no other writes here.
    pub _lock: File,
}

/// The first place that holds no valid record although the log may go on behind it.
struct Hole {
    /// Index of its segment.
    segment: usize,
    at: usize,
    lsn: u64,
}

/// Hands every record to `apply` in the order of the log, then ends a torn tail.
///
/// # Errors
///
/// The directory or its lock cannot be had, `apply` refuses, or what was synced is lost.
pub fn recover(
    settings: &Settings,
    mut apply: impl FnMut(&Record<'_>) -> Result<(), LogError>,
) -> Result<Recovered, LogError> {
    let directory = settings.directory.as_path();
    let lock = lock(directory)?;
    let environment = |error: io::Error| unusable(directory, &error);
    segment::remove_unfinished(directory).map_err(environment)?;
    let paths = segment::list(directory).map_err(environment)?;
    let mut reader = Reader { last_lsn: 0, segments_bytes: 0, newest: None };
    let mut hole = None;
    for (index, path) in paths.iter().enumerate() {
        let bytes = fs::read(path).map_err(|error| unusable(path, &error))?;
        if let Some(at) = reader.read(path, &bytes, &mut apply)? {
            hole = Some(Hole { segment: index, at, lsn: reader.last_lsn + 1 });
            break;
        }
    }
    if let Some(hole) = hole {
        refuse_corruption(&paths, &hole)?;
        end_torn_tail(directory, &paths, &hole).map_err(environment)?;
    }
    // What was read may still be in the kernel's memory alone, if its writer did not sync it.
    for path in segment::list(directory).map_err(environment)? {
        File::open(path).and_then(|file| file.sync_data()).map_err(environment)?;
    }
    let segment = reader.newest.map(|(header, at)| open(directory, header, at));
    Ok(Recovered {
        last_lsn: reader.last_lsn,
        segment: segment.transpose().map_err(environment)?,
        segments_bytes: reader.segments_bytes,
        _lock: lock,
    })
}

fn lock(directory: &Path) -> Result<File, LogError> {
    fs::create_dir_all(directory).map_err(|error| unusable(directory, &error))?;
    let path = directory.join("lock");
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = opened.map_err(|error| unusable(&path, &error))?;
    let operation = rustix::fs::FlockOperation::NonBlockingLockExclusive;
    rustix::fs::flock(&file, operation).map_err(|_| {
        LogError::Environment(format!(
            "{}: another process holds this log, expected to be alone\nhint: end it, or choose \
             another --data-directory",
            path.display()
        ))
    })?;
    Ok(file)
}

fn unusable(path: &Path, error: &io::Error) -> LogError {
    LogError::Environment(format!(
        "{}: {error}, expected a directory that can be written\nhint: choose another \
         --data-directory, or --durability=ram",
        path.display()
    ))
}

/// Where the reading stands.
struct Reader {
    last_lsn: u64,
    segments_bytes: u64,
    /// The last segment with a header that is in order, and where its records end.
    newest: Option<(Header, u64)>,
}

impl Reader {
    /// Reads one segment; the offset of the hole, if there is one.
    fn read(
        &mut self,
        path: &Path,
        bytes: &[u8],
        apply: &mut impl FnMut(&Record<'_>) -> Result<(), LogError>,
    ) -> Result<Option<usize>, LogError> {
        let expected = self.last_lsn + 1;
        let header = segment::header_of(path, bytes).filter(|header| header.first_lsn == expected);
        let Some(header) = header else { return Ok(Some(0)) };
        self.segments_bytes += header.bytes;
        let mut at = HEADER_BYTES;
        self.newest = Some((header, at as u64));
        while bytes.len() - at >= HEAD_BYTES && bytes[at..at + HEAD_BYTES] != [0; HEAD_BYTES] {
            let record = Record::decode(&bytes[at..], header.epoch)
                .filter(|record| record.lsn == self.last_lsn + 1);
            let Some(record) = record else { return Ok(Some(at)) };
            apply(&record)?;
            self.last_lsn = record.lsn;
            at = bytes.len().min(at + record.bytes() + fill(record.bytes()));
            self.newest = Some((header, at as u64));
        }
        // Zeros to the end are the end; zeros before something else are a hole like any other.
        Ok(bytes[at..].iter().any(|byte| *byte != 0).then_some(at))
    }
}

/// A record behind the hole that knew the hole to be synced says that it was lost since.
fn refuse_corruption(paths: &[PathBuf], hole: &Hole) -> Result<(), LogError> {
    let corrupt = |behind: &Path, found: &str| {
        LogError::Corrupt(format!(
            "{}: byte {}: expected the record of LSN {}, got none, though {found} in {} says that \
             it was synced\nhint: this log has lost what it promised; restore it, or move the \
             directory away",
            paths[hole.segment].display(),
            hole.at,
            hole.lsn,
            behind.display()
        ))
    };
    let mut lost_header = false; // behind one any valid record is proof: it was synced before them
    for (index, path) in paths.iter().enumerate().skip(hole.segment) {
        let bytes = fs::read(path).map_err(|error| unusable(path, &error))?;
        let header = segment::header_of(path, &bytes);
        lost_header |= header.is_none();
        // A record vouches for its segment: without a header any epoch will do.
        let epoch = header.map(|header| header.epoch);
        let from = if index == hole.segment { hole.at } else { 0 };
        for at in (from..bytes.len()).step_by(ALIGNMENT) {
            let Some(record) = decode_behind(&bytes[at..], epoch) else { continue };
            let synced = record.lsn > hole.lsn && record.durable_lsn >= hole.lsn;
            if synced || lost_header {
                return Err(corrupt(path, &format!("LSN {}", record.lsn)));
            }
        }
    }
    Ok(())
}

fn decode_behind(bytes: &[u8], epoch: Option<u32>) -> Option<Record<'_>> {
    if bytes.len() < HEAD_BYTES {
        return None;
    }
    let own = || u32::try_from(super::record::number(bytes, 32, 4)).unwrap_or(0);
    Record::decode(bytes, epoch.unwrap_or_else(own))
}

/// Zeroes what lies behind the hole, and removes later segments: none of it was promised.
fn end_torn_tail(directory: &Path, paths: &[PathBuf], hole: &Hole) -> io::Result<()> {
    let torn = &paths[hole.segment];
    let length = fs::metadata(torn)?.len();
    let later = &paths[hole.segment + 1..];
    eprintln!(
        "recovery: {}: byte {}: a torn tail at LSN {}: {} bytes and {} later segments dropped, \
         none of which were promised",
        torn.display(),
        hole.at,
        hole.lsn,
        length.saturating_sub(hole.at as u64),
        later.len()
    );
    for path in later {
        fs::remove_file(path)?;
    }
    if hole.at == 0 {
        fs::remove_file(torn)?; // its header is not in order, so nothing of it is
    } else {
        let file = OpenOptions::new().write(true).open(torn)?;
        let zeros = vec![0; 1 << 20];
        let mut at = hole.at as u64;
        while at < length {
            let step = (length - at).min(zeros.len() as u64);
            file.write_all_at(&zeros[..usize::try_from(step).unwrap_or(zeros.len())], at)?;
            at += step;
        }
        file.sync_data()?;
    }
    segment::sync_directory(directory)
}

fn open(directory: &Path, header: Header, at: u64) -> io::Result<Segment> {
    let path = segment::path(directory, header.first_lsn);
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    Ok(Segment { file, header, at })
}
