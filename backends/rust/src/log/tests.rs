//! The log against itself: what is written is recovered, and what is damaged is judged.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::change::Change;
use super::queue::{Outcome, Refusal};
use super::record::{Data, HEAD_BYTES, Operation, Record, fill};
use super::writer::{Started, Tell};
use super::{Durability, LogError, Recovered, Settings, recover, segment, start};
use crate::conditions::Conditions;
use crate::content::Content;
use crate::kept::Kept;
use crate::object::{ETag, Object};
use crate::restore;
use crate::store::{Store, StoreError};

const SEGMENT_BYTES: u64 = 4096;

/// A directory of the test's own, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pausemark-log-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn settings(&self, durability: Durability) -> Settings {
        Settings {
            durability,
            directory: self.0.clone(),
            sync_interval: Duration::from_millis(5),
            segment_bytes: SEGMENT_BYTES,
            log_bytes_max: 1 << 20,
        }
    }

    fn segments(&self) -> Vec<PathBuf> {
        segment::list(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn object(body: &[u8]) -> Object {
    let now = SystemTime::now();
    Object {
        body: Bytes::copy_from_slice(body).into(),
        parts: 0,
        md5: [7; 16],
        etag: ETag::new([7; 16], 0),
        modified: now,
        last_modified: crate::s3::http_date(now),
        kept: Kept::read(b"content-type\0text/plain\0").unwrap(),
        ..Object::blank()
    }
}

fn absent() -> Conditions {
    Conditions { matching: None, none_match: Some("*".into()) }
}

/// A store, its log, and one worker's queue.
struct Running {
    store: Arc<Store>,
    log: Started<u8>,
    outcomes: mpsc::Receiver<Vec<(u8, Outcome)>>,
    /// What the last change replaced or deleted.
    gone: Option<Arc<Object>>,
}

impl Running {
    fn start(settings: &Settings) -> Result<Self, LogError> {
        let store = Arc::new(Store::new(1 << 20));
        let recovered = recover(settings, |record| restore::apply(&store, record))?;
        let (failed, _) = oneshot::channel();
        let (sender, outcomes) = mpsc::channel();
        let tell: Tell<u8> = Box::new(move |batch| sender.send(batch).unwrap());
        let log = start(settings.clone(), recovered, store.clone(), vec![tell], failed).unwrap();
        Ok(Self { store, log, outcomes, gone: None })
    }

    fn change(&mut self, change: Change) -> Result<(), Refusal> {
        self.log.queues[0].push(change, 7)?;
        self.log.queues[0].bell().ring();
        let mut batch = self.outcomes.recv().unwrap();
        assert_eq!((batch.len(), batch[0].0), (1, 7));
        batch.remove(0).1.map(|gone| self.gone = gone)
    }

    fn create(&mut self, name: &str) -> Result<(), Refusal> {
        self.change(Change::CreateBucket { name: name.into(), created: SystemTime::now() })
    }

    fn put(&mut self, key: &str, body: &[u8], conditions: Conditions) -> Result<(), Refusal> {
        let bucket = self.store.bucket("bucket").unwrap();
        let object = Arc::new(object(body));
        self.change(Change::Put { bucket, key: key.into(), object, conditions })
    }

    fn delete(&mut self, key: &str) -> Result<(), Refusal> {
        let bucket = self.store.bucket("bucket").unwrap();
        self.change(Change::Delete { bucket, key: key.into() })
    }

    fn body(&self, key: &str) -> Option<Bytes> {
        self.store.bucket("bucket")?.get(key).map(|object| object.body.copy(0, usize::MAX))
    }

    fn end(self) {
        drop(self.log.queues);
        self.log.writer.thread().unpark();
        self.log.writer.join().unwrap().unwrap();
    }
}

fn written(settings: &Settings, bodies: &[(&str, &[u8])]) {
    let mut running = Running::start(settings).unwrap();
    running.create("bucket").unwrap();
    for (key, body) in bodies {
        running.put(key, body, Conditions::default()).unwrap();
    }
    running.end();
}

#[test]
fn a_record_is_read_as_it_was_written_and_no_other_bytes_are_one() {
    let record = Record {
        lsn: 3,
        durable_lsn: 2,
        epoch: 1,
        operation: Operation::Put,
        parts: 2,
        key: b"bucket/key",
        metadata: b"content-type\0text/plain\0",
        data: Data::Read(b"content"),
        md5: [9; 16],
        time_ns: 1_800_000_000_000_000_000,
    };
    let mut bytes = Vec::new();
    record.encode_head(&mut bytes);
    bytes.extend_from_slice(b"content");
    assert_eq!(Record::decode(&bytes, 1), Some(record));
    assert_eq!(Record::decode(&bytes, 2), None, "another epoch");
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert_eq!(Record::decode(&damaged, 1), None, "byte {at}");
        assert_eq!(Record::decode(&bytes[..at], 1), None, "cut at {at}");
    }
}

#[test]
fn an_object_in_pieces_is_one_record_however_large() {
    let scratch = Scratch::new();
    let settings = scratch.settings(Durability::Batch);
    let mut running = Running::start(&settings).unwrap();
    running.create("bucket").unwrap();
    for (key, bytes) in [("copied", 100), ("larger", 70_000)] {
        let pieces = [vec![b'a'; bytes].into(), Bytes::new(), Bytes::from_static(b"end")];
        let body = Content::of_parts(pieces.to_vec());
        let object = Arc::new(Object { body, parts: 3, ..object(b"") });
        let bucket = running.store.bucket("bucket").unwrap();
        let change =
            Change::Put { bucket, key: key.into(), object, conditions: Conditions::default() };
        running.change(change).unwrap();
    }
    running.put("behind", b"1", Conditions::default()).unwrap();
    running.end();
    let running = Running::start(&settings).unwrap();
    for (key, bytes) in [("copied", 100), ("larger", 70_000)] {
        let whole = [&vec![b'a'; bytes][..], b"end"].concat();
        assert_eq!(running.body(key).as_deref(), Some(&whole[..]));
        let object = running.store.bucket("bucket").unwrap().get(key).unwrap();
        assert_eq!(object.etag, ETag::new([7; 16], 3));
    }
    assert_eq!(running.body("behind").as_deref(), Some(&b"1"[..]));
    running.end();
}

#[test]
fn every_mode_recovers_what_it_acknowledged_and_goes_on() {
    use Durability::{Batch, Buffered, Interval, Sync};
    for durability in [Buffered, Interval, Batch, Sync] {
        let scratch = Scratch::new();
        let settings = scratch.settings(durability);
        let large = vec![b'x'; 100_000]; // larger than a segment, and than what is copied
        written(&settings, &[("a", b"1"), ("b", &large), ("c", b"3"), ("c", b"4")]);
        for round in 0..3 {
            let mut running = Running::start(&settings).unwrap();
            assert_eq!(running.body("a").as_deref(), Some(&b"1"[..]), "{durability:?} {round}");
            assert_eq!(running.body("b").as_deref(), Some(&large[..]));
            assert_eq!(running.body("c").as_deref(), Some(&b"4"[..]));
            assert_eq!(running.body("gone"), None);
            running.put("gone", &[0; 700], Conditions::default()).unwrap();
            running.delete("gone").unwrap();
            running.end();
        }
        assert!(scratch.segments().len() > 2, "several segments");
    }
}

#[test]
fn conditions_are_decided_in_the_order_of_the_log() {
    let scratch = Scratch::new();
    let mut running = Running::start(&scratch.settings(Durability::Batch)).unwrap();
    running.create("bucket").unwrap();
    running.put("a", b"1", absent()).unwrap();
    let failed = Err(Refusal::Store(StoreError::Precondition));
    assert_eq!(running.put("a", b"2", absent()), failed);
    let own = ETag::new([7; 16], 0).as_str().into();
    running.put("a", b"2", Conditions { matching: Some(own), none_match: None }).unwrap();
    let other = Conditions { matching: Some("b".into()), none_match: None };
    assert_eq!(running.put("a", b"3", other), failed);
    let missing = Conditions { matching: Some("*".into()), none_match: None };
    assert_eq!(running.put("c", b"3", missing), Err(Refusal::Store(StoreError::NoKey)));
    let remove = || Change::DeleteBucket { name: "bucket".into() };
    assert_eq!(running.change(remove()), Err(Refusal::Store(StoreError::NotEmpty)));
    let bucket = running.store.bucket("bucket").unwrap();
    running.delete("a").unwrap();
    running.change(remove()).unwrap();
    let late = Change::Put {
        bucket,
        key: "b".into(),
        object: Arc::new(object(b"3")),
        conditions: Conditions::default(),
    };
    assert_eq!(running.change(late), Err(Refusal::Store(StoreError::NoBucket)));
    running.end();
}

#[test]
fn of_writers_that_ask_for_absence_in_one_batch_one_wins() {
    let scratch = Scratch::new();
    let mut running = Running::start(&scratch.settings(Durability::Batch)).unwrap();
    running.create("bucket").unwrap();
    let bucket = running.store.bucket("bucket").unwrap();
    for number in 0..40 {
        let key = if number < 20 { "same" } else { "other" };
        let object = Arc::new(object(b"1"));
        let change =
            Change::Put { bucket: bucket.clone(), key: key.into(), object, conditions: absent() };
        running.log.queues[0].push(change, number).unwrap();
    }
    running.log.queues[0].bell().ring();
    let mut winners = Vec::new();
    let mut told = 0;
    while told < 40 {
        let batch = running.outcomes.recv().unwrap();
        told += batch.len();
        winners
            .extend(batch.into_iter().filter(|(_, made)| made.is_ok()).map(|(number, _)| number));
    }
    assert_eq!(winners, [0, 20]);
    running.end();
}

fn recovered(settings: &Settings) -> Result<(Recovered, Vec<u64>), LogError> {
    let mut lsns = Vec::new();
    let recovered = recover(settings, |record| {
        lsns.push(record.lsn);
        Ok(())
    })?;
    Ok((recovered, lsns))
}

#[test]
fn a_tail_torn_at_any_byte_is_dropped_and_the_log_goes_on() {
    let scratch = Scratch::new();
    let settings = scratch.settings(Durability::Buffered);
    written(&settings, &[("a", b"first"), ("b", b"last")]);
    let (path, whole) = only_segment(&scratch);
    let (log, lsns) = recovered(&settings).unwrap();
    assert_eq!(lsns, [1, 2, 3]);
    let end = usize::try_from(log.segment.as_ref().unwrap().at).unwrap();
    drop(log); // and with it the lock
    let last = last_record(&whole, end);
    for cut in last + 1..end - fill_of_last(&whole, last) {
        let mut torn = whole.clone();
        torn[cut..].fill(0);
        if torn == whole {
            continue; // the record itself ends in zeros
        }
        fs::write(&path, &torn).unwrap();
        assert_eq!(recovered(&settings).unwrap().1, [1, 2], "cut at {cut}");
        written(&settings, &[("c", b"after")]);
        assert_eq!(recovered(&settings).unwrap().1, [1, 2, 3], "cut at {cut}");
    }
}

fn only_segment(scratch: &Scratch) -> (PathBuf, Vec<u8>) {
    let segments = scratch.segments();
    let [path] = &segments[..] else { panic!("{segments:?}") };
    (path.clone(), fs::read(path).unwrap())
}

fn last_record(bytes: &[u8], end: usize) -> usize {
    let starts = (segment::HEADER_BYTES..end).step_by(8);
    starts.rev().find(|at| Record::decode(&bytes[*at..], 1).is_some()).unwrap()
}

fn fill_of_last(bytes: &[u8], at: usize) -> usize {
    fill(Record::decode(&bytes[at..], 1).unwrap().bytes())
}

fn damage(path: &Path, at: u64, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

#[test]
fn a_lost_record_that_was_synced_is_corruption_and_one_that_was_not_is_a_torn_tail() {
    let first_record = segment::HEADER_BYTES as u64;
    let modes = [(Durability::Sync, true), (Durability::Buffered, false)];
    for ((durability, corrupt), damaged) in modes
        .into_iter()
        .zip([&b"X"[..], &[0; 88]])
        .chain(modes.into_iter().zip([&[0; 88][..], &b"X"[..]]))
    {
        let scratch = Scratch::new();
        let settings = scratch.settings(durability);
        written(&settings, &[("a", b"1"), ("b", b"2")]);
        let at = if damaged.len() == 1 { first_record + HEAD_BYTES as u64 } else { first_record };
        damage(&scratch.segments()[0], at, damaged);
        match recovered(&settings) {
            Err(LogError::Corrupt(message)) => {
                assert!(corrupt, "{durability:?}: {message}");
                for part in ["segment-0000000000000001.log", "byte 64", "LSN 1", "hint: "] {
                    assert!(message.contains(part), "{part}: {message}");
                }
            }
            found => assert_eq!((found.unwrap().1, corrupt), (vec![], false)),
        }
    }
}

#[test]
fn what_a_change_replaces_goes_to_who_asked_for_it() {
    let scratch = Scratch::new();
    let mut running = Running::start(&scratch.settings(Durability::Batch)).unwrap();
    let gone = |running: &mut Running| {
        running.gone.take().map(|mut object| {
            assert!(Arc::get_mut(&mut object).is_some(), "nobody else holds it");
            object.body.copy(0, 9)
        })
    };
    running.create("bucket").unwrap();
    running.put("a", b"1", Conditions::default()).unwrap();
    assert_eq!(gone(&mut running), None);
    running.put("a", b"2", Conditions::default()).unwrap();
    assert_eq!(gone(&mut running).as_deref(), Some(&b"1"[..]));
    let bucket = running.store.bucket("bucket").unwrap();
    running.change(Change::Delete { bucket, key: "a".into() }).unwrap();
    assert_eq!(gone(&mut running).as_deref(), Some(&b"2"[..]));
    running.end();
}

#[test]
fn a_full_log_refuses_and_a_second_process_is_refused() {
    let scratch = Scratch::new();
    let settings =
        Settings { log_bytes_max: 2 * SEGMENT_BYTES, ..scratch.settings(Durability::Batch) };
    let mut running = Running::start(&settings).unwrap();
    running.create("bucket").unwrap();
    let outcomes: Vec<_> =
        (0..10).map(|_| running.put("a", &[1; 1500], Conditions::default())).collect();
    assert_eq!(outcomes[0], Ok(()));
    assert_eq!(outcomes[9], Err(Refusal::Full));
    assert_eq!(running.body("a").map(|body| body.len()), Some(1500));
    assert!(matches!(recovered(&settings), Err(LogError::Environment(_))));
    running.end();
}
