//! What any bytes do to the log's recovery: a segment or two, with their CRCs put right first.
#![no_main]

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pausemark_rust_fuzz::log::{self, Durability, LogError, Settings};
use pausemark_rust_fuzz::restore;
use pausemark_rust_fuzz::store::Store;

const STORE_BYTES_MAX: u64 = 16 << 20;
const SEGMENT_HEAD_BYTES: usize = 64;
const RECORD_HEAD_BYTES: usize = 80;
const ALIGNMENT: usize = 8;

const PARENT: &str = "/dev/shm";
const PREFIX: &str = "pausemark-fuzz-rust-";

/// A folder in memory: a device would sync, and there is nothing to learn from that.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    remove_left_behind();
    Path::new(PARENT).join(format!("{PREFIX}{}", std::process::id()))
});

/// A fuzzer that is killed or panics cannot clean up: the next one does, but for those that
/// still run.
fn remove_left_behind() {
    for entry in fs::read_dir(PARENT).unwrap().flatten() {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if id.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn settings() -> Settings {
    Settings {
        durability: Durability::Buffered,
        directory: FOLDER.clone(),
        sync_interval: Duration::from_millis(100),
        segment_bytes: 4096,
        log_bytes_max: 1 << 30,
    }
}

/// Random bytes hardly ever have the right CRC: behind it lies what is worth trying.
fn put_crcs(bytes: &mut [u8]) {
    if bytes.len() < SEGMENT_HEAD_BYTES {
        return;
    }
    let sum = crc32c::crc32c(&bytes[..32]);
    bytes[32..36].copy_from_slice(&sum.to_le_bytes());
    let mut at = SEGMENT_HEAD_BYTES;
    while let Some(head) = bytes.get(at..at + RECORD_HEAD_BYTES) {
        let length = u64::from_le_bytes(head[8..16].try_into().unwrap());
        let Ok(length) = usize::try_from(length) else { return };
        if !(RECORD_HEAD_BYTES..=bytes.len() - at).contains(&length) {
            return;
        }
        let sum = crc32c::crc32c(&bytes[at + 8..at + length]);
        bytes[at + 4..at + 8].copy_from_slice(&sum.to_le_bytes());
        at += length.next_multiple_of(ALIGNMENT);
    }
}

fn write_segment(first_lsn: u64, data: &[u8], has_crcs: bool) {
    let mut bytes = data.to_vec();
    if has_crcs {
        put_crcs(&mut bytes);
    }
    fs::write(FOLDER.join(format!("segment-{first_lsn:016x}.log")), bytes).unwrap();
}

/// The last LSN, without a gap before it; `None` when the log is refused.
fn recovered() -> Option<u64> {
    let count = Cell::new(0);
    let recovered = log::recover(&settings(), |record| {
        count.set(count.get() + 1);
        assert_eq!(record.lsn, count.get());
        Ok(())
    });
    let recovered = recovered.ok()?;
    assert_eq!(recovered.last_lsn, count.get());
    Some(recovered.last_lsn)
}

/// May be refused where a record that is whole makes no sense.
fn restore() -> Result<(), LogError> {
    let store = Arc::new(Store::new(STORE_BYTES_MAX));
    log::recover(&settings(), |record| restore::apply(&store, record)).map(drop)
}

// The first byte: bit 0 puts CRCs right, bit 1 makes two segments, all of it cuts.
fuzz_target!(|data: &[u8]| {
    let Some((&first, input)) = data.split_first() else { return };
    let (has_crcs, is_cut) = (first & 1 != 0, first & 2 != 0);
    let cut = if is_cut { input.len() * usize::from(first) / 255 } else { input.len() };
    fs::create_dir(&*FOLDER).unwrap();
    write_segment(1, &input[..cut], has_crcs);
    if is_cut {
        write_segment(2, &input[cut..], has_crcs);
    }
    if let Some(last_lsn) = recovered() {
        // What was recovered once is recovered again, to the same end.
        assert_eq!(recovered(), Some(last_lsn));
        let _ = restore();
    }
    fs::remove_dir_all(&*FOLDER).unwrap();
});
