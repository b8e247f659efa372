//! Turns records of the log back into buckets and objects.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::kept::Kept;
use crate::log::{LogError, Operation, Record};
use crate::object::{ETag, Object};
use crate::s3;
use crate::store::Store;

/// Does again what the record says was done.
///
/// # Errors
///
/// The store's limit is too small for the log, or a record that is valid makes no sense.
pub fn apply(store: &Arc<Store>, record: &Record<'_>) -> Result<(), LogError> {
    let senseless = |what: &str| {
        LogError::Corrupt(format!(
            "LSN {}: expected {what}, got another\nhint: another program wrote this log",
            record.lsn
        ))
    };
    let path = std::str::from_utf8(record.key).map_err(|_| senseless("a key of UTF-8"))?;
    let time = UNIX_EPOCH + Duration::from_nanos(record.time_ns);
    let (name, key) = path.split_once('/').unwrap_or((path, ""));
    match record.operation {
        Operation::CreateBucket => store.create(path, time),
        Operation::DeleteBucket => {
            store.remove(path).map_err(|_| senseless("an empty bucket"))?;
        }
        Operation::Delete => {
            let bucket = store.bucket(name).ok_or_else(|| senseless("a bucket that exists"))?;
            drop(store.delete(&bucket, key));
        }
        Operation::Put => {
            let bucket = store.bucket(name).ok_or_else(|| senseless("a bucket that exists"))?;
            let object = object(record, time).ok_or_else(|| senseless("kept headers"))?;
            let replaced = bucket.get(key).map_or(0, |old| old.body.len() as u64);
            store.release(replaced); // a log that was written within the limit fits again
            let room = store.reserve(object.body.len() as u64);
            let Some(room) = room else { return Err(too_small(store, record)) };
            room.keep();
            store.account(replaced);
            drop(store.insert(&bucket, key, Arc::new(object)));
        }
    }
    Ok(())
}

fn object(record: &Record<'_>, modified: SystemTime) -> Option<Object> {
    Some(Object {
        body: Bytes::from(record.data.pieces().collect::<Vec<_>>().concat()).into(),
        parts: record.parts,
        md5: record.md5,
        etag: ETag::new(record.md5, record.parts),
        modified,
        last_modified: s3::http_date(modified),
        kept: Kept::read(record.metadata)?,
        ..Object::blank()
    })
}

fn too_small(store: &Store, record: &Record<'_>) -> LogError {
    LogError::Environment(format!(
        "LSN {}: the log holds more than --store-bytes-max, expected at most {} bytes\nhint: raise \
         --store-bytes-max",
        record.lsn,
        store.bytes_max()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Data;

    #[test]
    fn an_object_comes_back_with_the_headers_that_were_kept() {
        let metadata = b"content-type\0a/b\0cache-control\0c\0x-amz-checksum-crc32c\0AAAAAA==\0\
            x-amz-checksum-sha256\0d\0x-amz-meta-a\0\0";
        let record = Record {
            lsn: 1,
            durable_lsn: 0,
            epoch: 1,
            operation: Operation::Put,
            parts: 0,
            md5: [0; 16],
            time_ns: 0,
            key: b"bucket/key",
            metadata,
            data: Data::Read(b""),
        };
        let object = object(&record, UNIX_EPOCH).unwrap();
        assert_eq!(object.kept.as_bytes(), metadata);
    }
}
