//! Buckets and objects in memory, shared by every worker.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use crate::conditions::Conditions;
use crate::object::Object;
use crate::uploads::{Slots, Uploads};

/// Why an operation on a bucket could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    NoBucket,
    NotEmpty,
    /// A condition asks for an object, and there is none.
    NoKey,
    Precondition,
}

/// Every bucket and the account of stored bytes.
#[derive(Debug)]
pub struct Store {
    buckets: RwLock<HashMap<Box<str>, Arc<Bucket>>>,
    used_bytes: AtomicU64,
    bytes_max: u64,
    pub upload_slots: Slots,
}

/// Room for a body that is on its way; given back when dropped before it was kept.
#[derive(Debug)]
pub struct Reservation {
    store: Arc<Store>,
    bytes: u64,
}

impl Store {
    pub fn new(bytes_max: u64) -> Self {
        Self {
            buckets: RwLock::default(),
            used_bytes: AtomicU64::new(0),
            bytes_max,
            upload_slots: Slots::default(),
        }
    }

    /// Takes room for a body before it is read; `None` when the store is full.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        let mut reservation = Reservation { store: self.clone(), bytes: 0 };
        reservation.grow(bytes).then_some(reservation)
    }

    /// Room that is accounted already, to be given back or kept.
    pub fn take_over(self: &Arc<Self>, bytes: u64) -> Reservation {
        Reservation { store: self.clone(), bytes }
    }

    pub fn bucket(&self, name: &str) -> Option<Arc<Bucket>> {
        read(&self.buckets).get(name).cloned()
    }

    pub fn create(&self, name: &str, created: SystemTime) {
        let mut buckets = write(&self.buckets);
        buckets.entry(name.into()).or_insert_with(|| Arc::new(Bucket::new(name, created)));
    }

    /// Why `remove` would fail now.
    pub fn refuses_removal(&self, name: &str) -> Option<StoreError> {
        match self.bucket(name) {
            None => Some(StoreError::NoBucket),
            Some(bucket) if read(&bucket.index).objects.is_empty() => None,
            Some(_) => Some(StoreError::NotEmpty),
        }
    }

    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let mut buckets = write(&self.buckets);
        let bucket = buckets.get(name).ok_or(StoreError::NoBucket)?;
        let mut index = write(&bucket.index);
        if !index.objects.is_empty() {
            return Err(StoreError::NotEmpty);
        }
        index.removed = true;
        drop(index);
        bucket.uploads.end(self);
        buckets.remove(name);
        Ok(())
    }

    /// Every bucket, by name.
    pub fn buckets(&self) -> Vec<Arc<Bucket>> {
        let mut all: Vec<_> = read(&self.buckets).values().cloned().collect();
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// What was replaced, if it could be done.
    pub fn put(
        &self,
        bucket: &Bucket,
        key: &str,
        object: Arc<Object>,
        reservation: Reservation,
        conditions: &Conditions,
    ) -> Result<Option<Arc<Object>>, StoreError> {
        let index = write(&bucket.index);
        if let Some(refusal) = index.refuses(key, conditions) {
            return Err(refusal);
        }
        reservation.keep();
        Ok(self.put_into(index, key, object))
    }

    /// Puts an object whose room is accounted already, with no conditions left to ask. What was
    /// replaced.
    pub fn insert(&self, bucket: &Bucket, key: &str, object: Arc<Object>) -> Option<Arc<Object>> {
        self.put_into(write(&bucket.index), key, object)
    }

    fn put_into(
        &self,
        mut index: RwLockWriteGuard<'_, Index>,
        key: &str,
        object: Arc<Object>,
    ) -> Option<Arc<Object>> {
        let replaced = match index.objects.get_mut(key) {
            Some(place) => Some(std::mem::replace(place, object)),
            None => index.objects.insert(key.into(), object),
        };
        drop(index);
        if let Some(old) = &replaced {
            self.release(old.body.len() as u64);
        }
        replaced
    }

    /// What was there.
    pub fn delete(&self, bucket: &Bucket, key: &str) -> Option<Arc<Object>> {
        let gone = write(&bucket.index).objects.remove(key);
        if let Some(old) = &gone {
            self.release(old.body.len() as u64);
        }
        gone
    }

    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Takes room whatever the limit says: for what is stored already.
    pub fn account(&self, bytes: u64) {
        self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives back the room of a body that is not stored.
    pub fn release(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Reservation {
    /// Takes more room; false when the store is full.
    pub fn grow(&mut self, bytes: u64) -> bool {
        let before = self.store.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > self.store.bytes_max {
            self.store.release(bytes);
            return false;
        }
        self.bytes += bytes;
        true
    }

    /// Gives back what the body did not need.
    pub fn shrink_to(&mut self, bytes: u64) {
        self.store.release(self.bytes - bytes);
        self.bytes = bytes;
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Leaves the room accounted to whoever holds the body now.
    pub fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.store.release(self.bytes);
    }
}

#[derive(Debug, Default)]
struct Index {
    objects: BTreeMap<Box<str>, Arc<Object>>,
    /// A PUT that began before the bucket's removal must not land in nowhere.
    removed: bool,
}

impl Index {
    /// Why a write of this key cannot be done.
    fn refuses(&self, key: &str, conditions: &Conditions) -> Option<StoreError> {
        if self.removed {
            return Some(StoreError::NoBucket);
        }
        if conditions.is_empty() {
            return None;
        }
        conditions.refuse(self.objects.get(key).map(AsRef::as_ref))
    }
}

/// One ordered map serves single keys and listings.
#[derive(Debug)]
pub struct Bucket {
    pub name: Box<str>,
    pub created: SystemTime,
    pub uploads: Uploads,
    index: RwLock<Index>,
}

/// What both listings ask.
#[derive(Debug, Default)]
pub struct ListQuery<'a> {
    pub prefix: &'a str,
    pub delimiter: &'a str,
    /// A key or a common prefix that was the last of the page before.
    pub after: &'a str,
    pub max: usize,
}

/// A key with its object, or a common prefix, which has none.
#[derive(Debug)]
pub struct Entry {
    pub name: Box<str>,
    pub object: Option<Arc<Object>>,
}

/// Keys and common prefixes in one order.
#[derive(Debug, Default)]
pub struct Page {
    pub entries: Vec<Entry>,
    pub truncated: bool,
}

impl Bucket {
    fn new(name: &str, created: SystemTime) -> Self {
        Self { name: name.into(), created, uploads: Uploads::default(), index: RwLock::default() }
    }

    /// Why a write of this key cannot be done.
    pub fn refuses(&self, key: &str, conditions: &Conditions) -> Option<StoreError> {
        read(&self.index).refuses(key, conditions)
    }

    pub fn get(&self, key: &str) -> Option<Arc<Object>> {
        read(&self.index).objects.get(key).cloned()
    }

    /// At most `query.max` entries; a common prefix costs one seek, however much it holds.
    pub fn list(&self, query: &ListQuery<'_>) -> Page {
        let index = read(&self.index);
        let mut page = Page::default();
        let mut start = query.start().filter(|_| query.max > 0);
        while let Some(from) = start.take() {
            let bounds = (Bound::Included(from.as_str()), Bound::Unbounded);
            for (key, object) in index.objects.range::<str, _>(bounds) {
                if !key.starts_with(query.prefix) {
                    break;
                }
                if page.entries.len() == query.max {
                    page.truncated = true;
                    break;
                }
                if let Some(common) = query.common(key) {
                    page.entries.push(Entry { name: common.into(), object: None });
                    start = successor(common);
                    break;
                }
                page.entries.push(Entry { name: key.clone(), object: Some(object.clone()) });
            }
        }
        page
    }
}

impl ListQuery<'_> {
    /// The first key that the page may hold; `None` when there can be none.
    fn start(&self) -> Option<String> {
        if self.after < self.prefix || self.after.is_empty() {
            return Some(self.prefix.to_owned());
        }
        if let Some(common) = self.common(self.after) {
            return successor(common); // it does not sort behind what it begins
        }
        Some(format!("{}\0", self.after))
    }

    /// The common prefix that a key is rolled up into.
    pub fn common<'key>(&self, key: &'key str) -> Option<&'key str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let at = key.strip_prefix(self.prefix)?.find(self.delimiter)?;
        Some(&key[..self.prefix.len() + at + self.delimiter.len()])
    }
}

/// The least string above every string that begins with the prefix; UTF-8 keeps the order of its
/// characters, so the last one that has a successor is raised.
fn successor(prefix: &str) -> Option<String> {
    let mut rest = prefix.to_owned();
    while let Some(last) = rest.pop() {
        let next =
            if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            rest.push(next);
            return Some(rest);
        }
    }
    None
}

// A worker that panicked leaves maps that are whole: every change is a single call.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
