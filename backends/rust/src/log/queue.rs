//! A worker's way to the log's writer: a bounded ring, and the bell that wakes the writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

use rtrb::Producer;

use super::change::Change;
use crate::object::Object;
use crate::store::StoreError;

pub const RING_ENTRIES: usize = 1024;

/// Why a change was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Store(StoreError),
    /// The queue, the log or the disk is full.
    Full,
    /// The log can write no more.
    Failed,
}

/// What was replaced or deleted, if anything: the worker that asked may use its memory again.
pub type Outcome = Result<Option<Arc<Object>>, Refusal>;

/// A change on its way to the writer.
#[derive(Debug)]
pub struct Write<T> {
    pub change: Change,
    pub ticket: T,
    pub worker: usize,
}

/// Wakes the writer, once a round of a worker's loop: a writer on the same processor would else
/// take it at every write, and each write would be a batch of its own.
#[derive(Debug)]
pub struct Bell {
    writer: Thread,
    owed: AtomicBool,
}

impl Bell {
    /// Whether something was pushed since it rang.
    pub fn is_owed(&self) -> bool {
        self.owed.load(Ordering::Relaxed)
    }

    /// Wakes the writer, if something was pushed since.
    pub fn ring(&self) {
        if self.owed.swap(false, Ordering::Relaxed) {
            self.writer.unpark();
        }
    }
}

/// A worker's way to the writer.
#[derive(Debug)]
pub struct Queue<T> {
    ring: Producer<Write<T>>,
    bell: Arc<Bell>,
    worker: usize,
}

impl<T> Queue<T> {
    pub fn new(ring: Producer<Write<T>>, writer: Thread, worker: usize) -> Self {
        let bell = Arc::new(Bell { writer, owed: AtomicBool::new(false) });
        Self { ring, bell, worker }
    }

    /// What the worker has to ring at the end of each round.
    pub fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// Hands a change over; its outcome comes once it is as durable as the mode promises, and the
    /// bell was rung.
    pub fn push(&mut self, change: Change, ticket: T) -> Result<(), Refusal> {
        if self.ring.is_abandoned() {
            return Err(Refusal::Failed);
        }
        let write = Write { change, ticket, worker: self.worker };
        self.ring.push(write).map_err(|_| Refusal::Full)?;
        self.bell.owed.store(true, Ordering::Relaxed);
        if self.ring.slots() < RING_ENTRIES / 2 {
            self.bell.ring();
        }
        Ok(())
    }
}
