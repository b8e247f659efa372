//! The open multipart uploads of a bucket: in memory only, until completed or given up.

mod complete;
mod list;
mod upload;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::{Reservation, Store};
pub use complete::{Completing, Named};
pub use list::UploadsPage;
pub use upload::{Part, Upload, UploadId};

/// Of the whole store.
const UPLOADS_MAX: usize = 1000;
pub const PART_NUMBER_MAX: u16 = 10_000;

/// Why an operation on an upload could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadError {
    NoBucket,
    NoUpload,
    TooMany,
    InvalidPart,
    TooSmall,
    TooLarge,
}

/// How many uploads are open in the whole store.
#[derive(Debug, Default)]
pub struct Slots(AtomicUsize);

impl Slots {
    fn take(&self) -> bool {
        let more = |open| (open < UPLOADS_MAX).then_some(open + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give_back(&self, count: usize) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Table {
    open: BTreeMap<Box<str>, BTreeMap<UploadId, Upload>>,
    /// An upload that begins while its bucket is removed must not open in nowhere.
    ended: bool,
}

impl Table {
    fn upload(&mut self, key: &str, id: UploadId) -> Result<&mut Upload, UploadError> {
        let found = self.open.get_mut(key).and_then(|uploads| uploads.get_mut(&id));
        found.ok_or(UploadError::NoUpload)
    }

    fn insert(&mut self, key: &str, id: UploadId, upload: Upload) {
        match self.open.get_mut(key) {
            Some(uploads) => drop(uploads.insert(id, upload)),
            None => drop(self.open.insert(key.into(), BTreeMap::from([(id, upload)]))),
        }
    }

    fn remove(&mut self, key: &str, id: UploadId) -> Result<Upload, UploadError> {
        let uploads = self.open.get_mut(key).ok_or(UploadError::NoUpload)?;
        let removed = uploads.remove(&id);
        if uploads.is_empty() {
            self.open.remove(key);
        }
        removed.ok_or(UploadError::NoUpload)
    }
}

/// By key, then id, as the listing has them.
#[derive(Debug, Default)]
pub struct Uploads {
    table: Mutex<Table>,
}

impl Uploads {
    /// # Errors
    ///
    /// The bucket is gone, or there are too many uploads in the store.
    pub fn begin(&self, store: &Store, key: &str, upload: Upload) -> Result<UploadId, UploadError> {
        let mut table = self.lock();
        if table.ended {
            return Err(UploadError::NoBucket);
        }
        if !store.upload_slots.take() {
            return Err(UploadError::TooMany);
        }
        let id = UploadId::new();
        table.insert(key, id, upload);
        Ok(id)
    }

    pub fn is_open(&self, key: &str, id: UploadId) -> bool {
        self.lock().upload(key, id).is_ok()
    }

    /// Keeps a part and its room; one of the same number is replaced.
    ///
    /// # Errors
    ///
    /// The upload is no longer open.
    pub fn put_part(
        &self,
        store: &Store,
        (key, id): (&str, UploadId),
        number: u16,
        part: Part,
        room: Reservation,
    ) -> Result<(), UploadError> {
        let replaced = self.lock().upload(key, id)?.parts.insert(number, part);
        room.keep();
        if let Some(old) = replaced {
            store.release(old.body.len() as u64);
        }
        Ok(())
    }

    /// # Errors
    ///
    /// The upload is not open.
    pub fn abort(&self, store: &Store, key: &str, id: UploadId) -> Result<(), UploadError> {
        let upload = self.lock().remove(key, id)?;
        store.upload_slots.give_back(1);
        store.release(upload.bytes());
        Ok(())
    }

    /// All of them, with the bucket.
    pub fn end(&self, store: &Store) {
        let mut table = self.lock();
        table.ended = true;
        for upload in std::mem::take(&mut table.open).into_values().flat_map(BTreeMap::into_values)
        {
            store.upload_slots.give_back(1);
            store.release(upload.bytes());
        }
    }

    // Every change is a single call: a worker that panicked leaves a table that is whole.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
