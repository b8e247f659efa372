//! The one thread that writes the log, decides conditions, and applies to the index in its order.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rtrb::{Consumer, RingBuffer};
use tokio::sync::oneshot;

use super::ahead::Ahead;
use super::change::{Change, Decision};
use super::queue::{Outcome, Queue, RING_ENTRIES, Refusal, Write};
use super::record::{Record, fill};
use super::recovery::Recovered;
use super::segment::{self, HEADER_BYTES, Header};
use super::{Durability, Settings};
use crate::store::Store;

const BATCH_RECORDS_MAX: usize = 64;
const BATCH_BYTES_MAX: usize = 256 << 10;
/// A larger body is written from where it lies instead of being copied into the batch.
const COPIED_BYTES_MAX: usize = 64 << 10;
const FULL_RETRY: Duration = Duration::from_secs(1);

/// Tells a worker what became of its writes, by the tickets that it gave them: called by the
/// writer, once a batch, so that a batch costs one wake of the worker.
pub type Tell<T> = Box<dyn Fn(Vec<(T, Outcome)>) + Send>;

/// The writer and every worker's queue.
#[derive(Debug)]
pub struct Started<T> {
    pub queues: Vec<Queue<T>>,
    /// Ends with an error when the log can write no more, else once every queue is gone.
    pub writer: JoinHandle<io::Result<()>>,
}

/// Starts the writer for a worker behind each `tell`; `failed` is told when it ends because it
/// cannot write.
pub fn start<T: Send + 'static>(
    settings: Settings,
    recovered: Recovered,
    store: Arc<Store>,
    tells: Vec<Tell<T>>,
    failed: oneshot::Sender<()>,
) -> io::Result<Started<T>> {
    let (producers, rings): (Vec<_>, Vec<_>) =
        tells.iter().map(|_| RingBuffer::new(RING_ENTRIES)).unzip();
    let mut writer = Writer {
        ahead: Ahead::new(settings.directory.clone(), settings.segment_bytes),
        durable_lsn: recovered.last_lsn,
        synced_at: Instant::now(),
        settings,
        recovered,
        store,
        rings,
        held: VecDeque::new(),
        batch: Vec::new(),
        accepted: Vec::new(),
        tells,
        buffer: Vec::with_capacity(2 * BATCH_BYTES_MAX),
        full_at: None,
    };
    let writer = thread::Builder::new().name("log-writer".into()).spawn(move || {
        let ended = writer.run();
        if ended.is_err() {
            writer.refuse_the_rest();
            let _ = failed.send(());
        }
        ended.map_err(|error| io::Error::other(format!("the log can be written no more: {error}")))
    })?;
    let thread = writer.thread().clone();
    let queues = producers.into_iter().enumerate();
    let queues = queues.map(|(worker, ring)| Queue::new(ring, thread.clone(), worker));
    Ok(Started { queues: queues.collect(), writer })
}

struct Writer<T> {
    settings: Settings,
    recovered: Recovered,
    ahead: Ahead,
    store: Arc<Store>,
    durable_lsn: u64,
    synced_at: Instant,
    rings: Vec<Consumer<Write<T>>>,
    /// Taken from a ring, for the next batch.
    held: VecDeque<Write<T>>,
    /// Empty between batches, for their room: what is written, and what of it was accepted.
    batch: Vec<Write<T>>,
    accepted: Vec<Write<T>>,
    tells: Vec<Tell<T>>,
    buffer: Vec<u8>,
    /// When the disk had no room for a segment.
    full_at: Option<Instant>,
}

impl<T> Writer<T> {
    fn run(&mut self) -> io::Result<()> {
        loop {
            let batch = self.gather();
            if !batch.is_empty() {
                self.commit(batch)?;
                continue;
            }
            self.sync_if_due()?;
            // Abandoned is read before empty: what was pushed before the end is seen.
            let ended = self.rings.iter().all(Consumer::is_abandoned);
            if ended && self.rings.iter().all(Consumer::is_empty) {
                return self.sync();
            }
            if ended || self.is_dirty_interval() {
                thread::park_timeout(self.settings.sync_interval.min(Duration::from_millis(100)));
            } else {
                thread::park();
            }
        }
    }

    /// What has come, up to the batch's limits. A change of which bucket there is, is a batch of
    /// its own, and one whose conditions ask for what the batch writes begins the next: all before
    /// it is in the index then.
    fn gather(&mut self) -> Vec<Write<T>> {
        let records_max =
            if self.settings.durability == Durability::Sync { 1 } else { BATCH_RECORDS_MAX };
        let mut batch = std::mem::take(&mut self.batch);
        let mut bytes = 0;
        while batch.len() < records_max && bytes < BATCH_BYTES_MAX {
            let Some(write) = self.take() else { break };
            let alone = write.change.stands_alone();
            let depends = write.change.depends_on(batch.iter().map(|before| &before.change));
            if (alone && !batch.is_empty()) || depends {
                self.held.push_front(write);
                break;
            }
            bytes += write.change.data_bytes();
            batch.push(write);
            if alone {
                break;
            }
        }
        batch
    }

    fn take(&mut self) -> Option<Write<T>> {
        if self.held.is_empty() {
            for ring in &mut self.rings {
                let count = ring.slots().min(BATCH_RECORDS_MAX);
                if let Ok(chunk) = ring.read_chunk(count) {
                    self.held.extend(chunk);
                }
            }
        }
        self.held.pop_front()
    }

    /// Decides, writes, syncs as the mode says, applies, answers.
    fn commit(&mut self, mut batch: Vec<Write<T>>) -> io::Result<()> {
        let mut accepted = std::mem::take(&mut self.accepted);
        let room = batch.len();
        let mut answers: Vec<Vec<_>> =
            self.tells.iter().map(|_| Vec::with_capacity(room)).collect();
        let mut failure = None;
        for write in batch.drain(..) {
            let logged = match (&failure, write.change.decide(&self.store)) {
                (Some(_), _) => Err(Refusal::Failed),
                (None, Decision::Refused(error)) => Err(Refusal::Store(error)),
                (None, Decision::Nothing) => Ok(false),
                (None, Decision::Log) => self.append(&write.change).map_err(|error| match error {
                    Append::Full => Refusal::Full,
                    Append::Io(error) => {
                        failure = Some(error);
                        Refusal::Failed
                    }
                }),
            };
            match logged {
                Ok(true) => accepted.push(write),
                Ok(false) => answers[write.worker].push((write.ticket, Ok(None))),
                Err(refusal) => {
                    write.change.give_back(&self.store);
                    answers[write.worker].push((write.ticket, Err(refusal)));
                }
            }
        }
        let ended = match failure {
            Some(error) => Err(error),
            None => self.flush().and_then(|()| self.sync_as_promised()),
        };
        for write in accepted.drain(..) {
            let outcome = if ended.is_ok() {
                Ok(write.change.apply(&self.store))
            } else {
                Err(Refusal::Failed)
            };
            answers[write.worker].push((write.ticket, outcome));
        }
        for (tell, answers) in self.tells.iter().zip(answers) {
            if !answers.is_empty() {
                tell(answers);
            }
        }
        (self.batch, self.accepted) = (batch, accepted);
        ended
    }

    /// What came behind the failure: whoever waits for it is told too.
    fn refuse_the_rest(&mut self) {
        while let Some(write) = self.take() {
            write.change.give_back(&self.store);
            self.tells[write.worker](vec![(write.ticket, Err(Refusal::Failed))]);
        }
    }

    /// Puts the record of a change behind the batch; true always, for `commit`'s sake.
    fn append(&mut self, change: &Change) -> Result<bool, Append> {
        let described = change.describe();
        let mut record = Record {
            lsn: self.recovered.last_lsn + 1,
            durable_lsn: self.durable_lsn,
            epoch: 0,
            operation: described.operation,
            parts: described.parts,
            key: described.key.as_bytes(),
            metadata: described.metadata,
            data: described.data,
            md5: described.md5,
            time_ns: described.time_ns,
        };
        let whole = (record.bytes() + fill(record.bytes())) as u64;
        let pending = self.buffer.len() as u64;
        let fits = self
            .recovered
            .segment
            .as_ref()
            .is_some_and(|segment| segment.left() >= pending + whole);
        if !fits {
            self.flush().map_err(Append::Io)?;
            self.next_segment(whole)?;
        }
        let Some(segment) = &mut self.recovered.segment else { return Err(Append::Full) };
        record.epoch = segment.header.epoch;
        record.encode_head(&mut self.buffer);
        if record.data.len() <= COPIED_BYTES_MAX {
            record.data.pieces().for_each(|piece| self.buffer.extend_from_slice(piece));
        } else {
            segment.append(&self.buffer).map_err(Append::Io)?;
            self.buffer.clear();
            for piece in record.data.pieces() {
                segment.append(piece).map_err(Append::Io)?;
            }
        }
        self.buffer.resize(self.buffer.len() + fill(record.bytes()), 0);
        self.recovered.last_lsn += 1;
        Ok(true)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(segment) = &mut self.recovered.segment {
            segment.append(&self.buffer)?;
            self.buffer.clear();
            if segment.left() < segment.header.bytes / 2
                && self.recovered.segments_bytes + self.settings.segment_bytes
                    <= self.settings.log_bytes_max
            {
                self.ahead.make();
            }
        }
        Ok(())
    }

    /// Ends the current segment (synced, so that a later one never outlives it) and begins one that
    /// holds a record of this size.
    fn next_segment(&mut self, record_bytes: u64) -> Result<(), Append> {
        let bytes = self.settings.segment_bytes.max(record_bytes + HEADER_BYTES as u64);
        let replaced = self.recovered.segment.as_ref().filter(|segment| segment.is_empty());
        let kept = self.recovered.segments_bytes - replaced.map_or(0, |s| s.header.bytes);
        let was_full = self.full_at.is_some_and(|at| at.elapsed() < FULL_RETRY);
        if was_full || kept + bytes > self.settings.log_bytes_max {
            return Err(Append::Full);
        }
        let header = Header {
            epoch: match &self.recovered.segment {
                Some(segment) if segment.is_empty() => segment.header.epoch,
                Some(segment) => segment.header.epoch + 1,
                None => 1,
            },
            first_lsn: self.recovered.last_lsn + 1,
            bytes,
        };
        if self.settings.durability != Durability::Buffered {
            self.sync().map_err(Append::Io)?;
        }
        let file = self.ahead.take(bytes).map_err(|error| self.full_or_failed(error))?;
        let begun = segment::begin(&self.settings.directory, file, header);
        self.recovered.segment = Some(begun.map_err(Append::Io)?);
        self.recovered.segments_bytes = kept + bytes;
        Ok(())
    }

    /// Only a disk without room is worth another attempt, and that not at once: each writes much.
    fn full_or_failed(&mut self, error: io::Error) -> Append {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                self.full_at = Some(Instant::now());
                Append::Full
            }
            _ => Append::Io(error),
        }
    }

    fn sync_as_promised(&mut self) -> io::Result<()> {
        match self.settings.durability {
            Durability::Batch | Durability::Sync => self.sync(),
            Durability::Interval => self.sync_if_due(),
            Durability::Buffered | Durability::Ram => Ok(()),
        }
    }

    fn is_dirty_interval(&self) -> bool {
        self.settings.durability == Durability::Interval
            && self.durable_lsn < self.recovered.last_lsn
    }

    fn sync_if_due(&mut self) -> io::Result<()> {
        if self.is_dirty_interval() && self.synced_at.elapsed() >= self.settings.sync_interval {
            return self.sync();
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Some(segment) = &self.recovered.segment {
            if self.durable_lsn < self.recovered.last_lsn {
                segment.file.sync_data()?;
            }
        }
        self.durable_lsn = self.recovered.last_lsn;
        self.synced_at = Instant::now();
        Ok(())
    }
}

/// Why a record could not be put into the log.
enum Append {
    Full,
    Io(io::Error),
}
