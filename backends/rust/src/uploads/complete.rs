//! The completion of an upload: its parts become one object, or it stays open.

use std::sync::Arc;

use md5::{Digest, Md5};

use super::{Part, Upload, UploadError, UploadId};
use crate::content::Content;
use crate::kept::Kept;
use crate::object::ETag;
use crate::store::{Bucket, Reservation, Store};

/// Of every part but the last.
const PART_BYTES_MIN: usize = 5 << 20;

/// A part that a completion names, its tag without quotes.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    pub number: u64,
    pub tag: String,
}

impl Upload {
    fn named(&self, named: &Named) -> Option<Part> {
        let part = self.parts.get(&u16::try_from(named.number).ok()?)?;
        let etag = ETag::new(part.md5, 0);
        let own = etag.as_str().trim_matches('"');
        (own == named.tag).then(|| part.clone())
    }
}

impl Completing {
    /// Takes an upload out, to make these parts, whose numbers rise, one object.
    ///
    /// # Errors
    ///
    /// It is not open, or the parts are not what they must be; then it stays open.
    pub fn take(
        bucket: &Arc<Bucket>,
        store: &Arc<Store>,
        (key, id): (&str, UploadId),
        named: &[Named],
        bytes_max: u64,
    ) -> Result<Self, UploadError> {
        let mut table = bucket.uploads.lock();
        let upload = table.upload(key, id)?;
        let parts = named.iter().map(|named| upload.named(named));
        let parts: Vec<Part> = parts.collect::<Option<_>>().ok_or(UploadError::InvalidPart)?;
        let all_but_last = parts.iter().rev().skip(1);
        if all_but_last.into_iter().any(|part| part.body.len() < PART_BYTES_MIN) {
            return Err(UploadError::TooSmall);
        }
        let content = Content::of_parts(parts.iter().map(|part| part.body.clone()).collect());
        if content.len() as u64 > bytes_max {
            return Err(UploadError::TooLarge);
        }
        let mut md5 = Md5::new();
        for part in &parts {
            md5.update(part.md5);
        }
        let md5 = md5.finalize().into();
        // Part numbers are 16 bits wide and rise, so their count is too.
        let count = u16::try_from(parts.len()).unwrap_or(u16::MAX);
        let upload = table.remove(key, id)?;
        drop(table);
        Ok(Self {
            bucket: bucket.clone(),
            store: store.clone(),
            key: key.into(),
            id,
            kept: upload.kept.clone(),
            upload: Some(upload),
            content,
            md5,
            count,
        })
    }
}

/// An upload that is being made an object; others know it no more. When this is dropped, it is
/// done: also when its client hung up, whose write is on its way all the same.
#[derive(Debug)]
pub struct Completing {
    bucket: Arc<Bucket>,
    store: Arc<Store>,
    key: Box<str>,
    id: UploadId,
    upload: Option<Upload>,
    /// As the upload was begun with them.
    pub kept: Kept,
    pub content: Content,
    /// Of the parts' MD5s.
    pub md5: [u8; 16],
    pub count: u16,
}

impl Completing {
    /// The room of the named parts, which is the object's from now on.
    pub fn room(&self) -> Reservation {
        self.store.take_over(self.content.len() as u64)
    }

    /// Opens it again, its object not having been stored and the object's room given back.
    pub fn reopen(mut self) {
        let mut table = self.bucket.uploads.lock();
        if table.ended {
            return;
        }
        if let Some(upload) = self.upload.take() {
            self.store.account(self.content.len() as u64);
            table.insert(&self.key, self.id, upload);
        }
    }
}

impl Drop for Completing {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take() {
            // What is left of its room is that of parts which were not named.
            self.store.release(upload.bytes() - self.content.len() as u64);
            self.store.upload_slots.give_back(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    /// A store of 100 bytes, and its only bucket.
    fn store() -> (Arc<Store>, Arc<Bucket>) {
        let store = Arc::new(Store::new(100));
        store.create("bucket", SystemTime::now());
        let bucket = store.bucket("bucket").unwrap();
        (store, bucket)
    }

    fn begun(store: &Arc<Store>, bucket: &Bucket, parts: &[(u16, usize)]) -> UploadId {
        let uploads = &bucket.uploads;
        let upload = Upload::new(Kept::default());
        let id = uploads.begin(store, "k", upload).unwrap();
        for (number, bytes) in parts {
            let body = vec![0; *bytes].into();
            let part = Part { body, md5: [0; 16], modified: SystemTime::now() };
            let room = store.reserve(*bytes as u64).unwrap();
            uploads.put_part(store, ("k", id), *number, part, room).unwrap();
        }
        id
    }

    #[test]
    fn a_completion_keeps_the_room_of_what_it_names_or_opens_again() {
        let (store, bucket) = store();
        let uploads = &bucket.uploads;
        let id = begun(&store, &bucket, &[(1, 30), (2, 40)]);
        let named = [Named { number: 2, tag: "0".repeat(32) }];
        let completing = Completing::take(&bucket, &store, ("k", id), &named, 64).unwrap();
        assert!(!uploads.is_open("k", id));
        drop(completing.room());
        completing.reopen();
        assert!(uploads.is_open("k", id) && store.reserve(31).is_none());
        let completing = Completing::take(&bucket, &store, ("k", id), &named, 64).unwrap();
        completing.room().keep();
        drop(completing);
        assert!(!uploads.is_open("k", id));
        assert!(store.reserve(61).is_none() && store.reserve(60).is_some());
    }

    #[test]
    fn a_refused_completion_leaves_the_upload_open_and_the_bucket_ends_it() {
        let (store, bucket) = store();
        let uploads = &bucket.uploads;
        let id = begun(&store, &bucket, &[(1, 30), (2, 40)]);
        let tag = || "0".repeat(32);
        let both = [Named { number: 1, tag: tag() }, Named { number: 2, tag: tag() }];
        for (named, bytes_max, error) in [
            (&both[..], 100, UploadError::TooSmall),
            (&both[1..], 39, UploadError::TooLarge),
            (&[Named { number: 3, tag: tag() }], 100, UploadError::InvalidPart),
        ] {
            let refused = Completing::take(&bucket, &store, ("k", id), named, bytes_max).map(drop);
            assert_eq!(refused, Err(error));
        }
        assert!(uploads.is_open("k", id));
        uploads.end(&store);
        assert!(!uploads.is_open("k", id) && store.reserve(100).is_some());
    }
}
