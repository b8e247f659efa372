//! `requests.bin`: 40 bytes a request, handed over in buffers to a writer that the schedule never
//! waits for.

use crate::fault::Fault;
use crate::kind::Kind;
use crate::system;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

pub const HEADER_BYTES: usize = 4096;
pub const RECORD_BYTES: usize = 40;
const MAGIC: &[u8; 8] = b"PMREQ001";
const BUFFER_BYTES: usize = 8192 * RECORD_BYTES;
/// Buffers a thread may have under way: 64 x 320 KiB; full ones beyond them are dropped and
/// counted.
const BUFFERS: usize = 64;

pub const FLAG_BACKLOG: u16 = 1;
pub const FLAG_WARMUP: u16 = 2;

/// One request, as in the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub intended_ns: u64,
    pub sent_ns: u64,
    pub first_byte_ns: u64,
    pub last_byte_ns: u64,
    pub connection: u16,
    pub status: u16,
    pub operation: u8,
    pub outcome: u8,
    pub flags: u16,
}

impl Record {
    /// The little-endian form.
    #[must_use]
    pub fn bytes(&self) -> [u8; RECORD_BYTES] {
        let mut out = [0; RECORD_BYTES];
        out[0..8].copy_from_slice(&self.intended_ns.to_le_bytes());
        out[8..16].copy_from_slice(&self.sent_ns.to_le_bytes());
        out[16..24].copy_from_slice(&self.first_byte_ns.to_le_bytes());
        out[24..32].copy_from_slice(&self.last_byte_ns.to_le_bytes());
        out[32..34].copy_from_slice(&self.connection.to_le_bytes());
        out[34..36].copy_from_slice(&self.status.to_le_bytes());
        out[36] = self.operation;
        out[37] = self.outcome;
        out[38..40].copy_from_slice(&self.flags.to_le_bytes());
        out
    }
}

/// The file's first 4096 bytes.
///
/// # Errors
/// When the JSON is too long for them.
pub fn header(json: &serde_json::Value) -> Result<Vec<u8>, Fault> {
    let text = json.to_string();
    let most = HEADER_BYTES - MAGIC.len() - 4;
    let length = u32::try_from(text.len())
        .ok()
        .filter(|_| text.len() <= most);
    let Some(length) = length else {
        return Err(Fault::usage(
            "scenario",
            "header too long",
            format!("{most} bytes"),
            text.len(),
        ));
    };
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    out.resize(HEADER_BYTES, 0);
    Ok(out)
}

/// The names of outcomes 1, 2, … in the header.
#[must_use]
pub fn error_names() -> Vec<&'static str> {
    Kind::ALL.iter().map(|kind| kind.name()).collect()
}

/// A thread's end: records go in, full buffers go to the writer, empty ones come back.
#[derive(Debug)]
pub struct Recorder {
    buffer: Vec<u8>,
    full: Sender<(usize, Vec<u8>)>,
    empty: Receiver<Vec<u8>>,
    lane: usize,
    pub dropped: u64,
}

impl Recorder {
    /// Keeps a record, or counts it as dropped when every buffer is under way.
    pub fn push(&mut self, record: &Record) {
        if self.buffer.len() + RECORD_BYTES > BUFFER_BYTES || self.buffer.capacity() == 0 {
            self.hand_over();
        }
        if self.buffer.capacity() == 0 {
            self.dropped += 1;
            return;
        }
        self.buffer.extend_from_slice(&record.bytes());
    }

    /// Sends what there is to the writer. Never waits.
    pub fn hand_over(&mut self) {
        let next = self.empty.try_recv().unwrap_or_default();
        let full = std::mem::replace(&mut self.buffer, next);
        if !full.is_empty() && self.full.send((self.lane, full)).is_err() {
            // the writer counts what it could not write; this cannot happen before its end
            self.dropped += 1;
        }
    }
}

/// What the writer did.
#[derive(Debug, Default)]
pub struct Written {
    pub records: u64,
    pub dropped: u64,
    /// Why the disk took no more.
    pub failure: Option<String>,
}

/// The writer thread.
#[derive(Debug)]
pub struct Writer {
    thread: JoinHandle<Written>,
    path: PathBuf,
}

/// The writer, a recorder for each lane, and where the header goes once the start is known.
pub type Ends = (Writer, Vec<Recorder>, Sender<Vec<u8>>);

impl Writer {
    /// Creates the file and starts the writer with one recorder for each lane.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn start(path: &Path, lanes: usize) -> Result<Ends, Fault> {
        let file = File::create(path).map_err(|error| {
            let expected = "a path that can be written";
            let place = format!("records_path {}", path.display());
            Fault::environment(place, "cannot be created", expected, error)
        })?;
        let (full, inbox) = mpsc::channel();
        let (first, header) = mpsc::channel();
        let mut returns = Vec::new();
        let mut recorders = Vec::new();
        for lane in 0..lanes {
            let (give_back, empty) = mpsc::channel();
            for _ in 1..BUFFERS {
                drop(give_back.send(Vec::with_capacity(BUFFER_BYTES)));
            }
            returns.push(give_back);
            let buffer = Vec::with_capacity(BUFFER_BYTES);
            recorders.push(Recorder {
                buffer,
                full: full.clone(),
                empty,
                lane,
                dropped: 0,
            });
        }
        let thread = std::thread::Builder::new()
            .name("records".to_owned())
            .spawn(move || write_all(file, &header, &inbox, &returns))
            .map_err(|e| Fault::environment("records", "no thread", "a thread to start", e))?;
        Ok((
            Self {
                thread,
                path: path.to_owned(),
            },
            recorders,
            first,
        ))
    }

    /// Waits until everything handed over is in the file; all recorders must be gone.
    #[must_use]
    pub fn finish(self) -> (Written, Option<Fault>) {
        let written = self.thread.join().unwrap_or_else(|_| Written {
            failure: Some("the writer ended early".to_owned()),
            ..Written::default()
        });
        let fault = written.failure.as_ref().map(|failure| {
            let place = format!("records_path {}", self.path.display());
            Fault::environment(
                place,
                "could not take every record",
                "space for 40 bytes a request",
                failure,
            )
            .hint("free space there or name another place; what was written is whole records")
        });
        (written, fault)
    }
}

fn write_all(
    mut file: File,
    header: &Receiver<Vec<u8>>,
    inbox: &Receiver<(usize, Vec<u8>)>,
    returns: &[Sender<Vec<u8>>],
) -> Written {
    system::step_back();
    let mut written = Written::default();
    if let Ok(header) = header.recv() {
        written.failure = file.write_all(&header).err().map(|error| error.to_string());
    }
    while let Ok((lane, mut buffer)) = inbox.recv() {
        let records = (buffer.len() / RECORD_BYTES) as u64;
        if written.failure.is_none() {
            written.failure = file.write_all(&buffer).err().map(|error| error.to_string());
        }
        if written.failure.is_none() {
            written.records += records;
        } else {
            written.dropped += records;
        }
        buffer.clear();
        drop(returns[lane].send(buffer));
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("pausemark-{name}-{}", std::process::id()))
    }

    #[test]
    fn the_layout_is_the_contracts() {
        let record = Record {
            intended_ns: 1,
            sent_ns: 2,
            first_byte_ns: 3,
            last_byte_ns: 4,
            connection: 5,
            status: 206,
            operation: 7,
            outcome: 8,
            flags: 3,
        };
        let bytes = record.bytes();
        for (at, value) in [
            (0, 1),
            (8, 2),
            (16, 3),
            (24, 4),
            (32, 5),
            (34, 206),
            (36, 7),
            (37, 8),
            (38, 3),
        ] {
            assert_eq!(bytes[at], value, "{at}");
        }
    }

    #[test]
    fn every_record_reaches_the_file_in_order() {
        let path = scratch("records");
        let (writer, mut recorders, first) = Writer::start(&path, 1).unwrap();
        first
            .send(header(&serde_json::json!({"schema": 1})).unwrap())
            .unwrap();
        let mut recorder = recorders.pop().unwrap();
        for number in 0..20_000 {
            recorder.push(&Record {
                intended_ns: number,
                ..Record::default()
            });
        }
        recorder.hand_over();
        assert_eq!(recorder.dropped, 0);
        drop(recorder);
        let (written, fault) = writer.finish();
        assert!(written.records == 20_000 && fault.is_none());
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(bytes.len(), HEADER_BYTES + 20_000 * RECORD_BYTES);
        assert_eq!(&bytes[..8], MAGIC);
        for (number, record) in bytes[HEADER_BYTES..].chunks(RECORD_BYTES).enumerate() {
            assert_eq!(record[..8], (number as u64).to_le_bytes());
        }
    }

    #[test]
    fn a_stuck_writer_makes_drops_not_waits() {
        let path = scratch("stuck");
        let (writer, mut recorders, first) = Writer::start(&path, 1).unwrap();
        let mut recorder = recorders.pop().unwrap(); // no header yet: the writer waits for it
        let room = (BUFFERS * BUFFER_BYTES / RECORD_BYTES) as u64;
        for _ in 0..room + 1000 {
            recorder.push(&Record::default());
        }
        assert_eq!(recorder.dropped, 1000);
        first.send(Vec::new()).unwrap();
        recorder.hand_over();
        drop(recorder);
        assert_eq!(writer.finish().0.records, room);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_full_disk_is_told_and_counted() {
        let (writer, mut recorders, first) = Writer::start(Path::new("/dev/full"), 1).unwrap();
        first.send(vec![0; HEADER_BYTES]).unwrap();
        recorders[0].push(&Record::default());
        recorders[0].hand_over();
        drop(recorders);
        let (written, fault) = writer.finish();
        assert_eq!((written.records, written.dropped), (0, 1));
        assert_eq!(fault.unwrap().exit_code(), 4);
    }
}
