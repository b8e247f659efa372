//! The next segment's file, made by a thread of its own so that a full segment costs no stall.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use super::segment;

/// At most one file of zeros, made or being made.
#[derive(Debug)]
pub struct Ahead {
    directory: PathBuf,
    bytes: u64,
    making: Option<JoinHandle<io::Result<File>>>,
}

impl Ahead {
    pub fn new(directory: PathBuf, bytes: u64) -> Self {
        Self { directory, bytes, making: None }
    }

    /// Begins to make it, unless it is there or on its way.
    pub fn make(&mut self) {
        if self.making.is_none() {
            let (directory, bytes) = (self.directory.clone(), self.bytes);
            let builder = thread::Builder::new().name("log-ahead".into());
            let spawned = builder.spawn(move || segment::make_ahead(&directory, bytes));
            self.making = spawned.ok(); // without a thread it is made when it is needed
        }
    }

    /// The file, of this size; waits for it, or makes it.
    ///
    /// # Errors
    /// Why it could not be made: that is told, and not tried over.
    pub fn take(&mut self, bytes: u64) -> io::Result<File> {
        match self.making.take().map(JoinHandle::join) {
            Some(Ok(made)) if made.is_err() || bytes == self.bytes => made,
            _ => segment::make_ahead(&self.directory, bytes),
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(making) = self.making.take() {
            let _ = making.join(); // what it made is removed at the next start
        }
    }
}
