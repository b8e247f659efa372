//! A change of state: what decides it, what the log says of it, and what it does to the index.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::record::{Data, Operation};
use crate::conditions::Conditions;
use crate::object::Object;
use crate::store::{Bucket, Store, StoreError};

/// A change of state, whole and checked but for its conditions.
#[derive(Debug)]
pub enum Change {
    /// The object's room in the store is already accounted.
    Put {
        bucket: Arc<Bucket>,
        key: Box<str>,
        object: Arc<Object>,
        conditions: Conditions,
    },
    Delete {
        bucket: Arc<Bucket>,
        key: Box<str>,
    },
    CreateBucket {
        name: Box<str>,
        created: SystemTime,
    },
    DeleteBucket {
        name: Box<str>,
    },
}

/// What a change comes to, against the index as it is.
pub enum Decision {
    Log,
    /// It is so already.
    Nothing,
    Refused(StoreError),
}

/// What its record holds, but for its place in the log.
pub struct Described<'a> {
    pub operation: Operation,
    pub key: String,
    pub metadata: &'a [u8],
    pub data: Data<'a>,
    /// Of a multipart object; else 0.
    pub parts: u16,
    pub md5: [u8; 16],
    pub time_ns: u64,
}

impl Change {
    /// Whether it says which buckets there are: that decides every other change.
    pub fn stands_alone(&self) -> bool {
        matches!(self, Self::CreateBucket { .. } | Self::DeleteBucket { .. })
    }

    /// Whether its conditions cannot be decided until one of these before it is in the index.
    pub fn depends_on<'a>(&self, mut before: impl Iterator<Item = &'a Self>) -> bool {
        let Self::Put { bucket, key, conditions, .. } = self else { return false };
        !conditions.is_empty()
            && before.any(|earlier| match earlier {
                Self::Put { bucket: other, key: known, .. }
                | Self::Delete { bucket: other, key: known } => {
                    Arc::ptr_eq(bucket, other) && key == known
                }
                Self::CreateBucket { .. } | Self::DeleteBucket { .. } => false,
            })
    }

    pub fn data_bytes(&self) -> usize {
        if let Self::Put { object, .. } = self { object.body.len() } else { 0 }
    }

    pub fn decide(&self, store: &Store) -> Decision {
        let refused = match self {
            Self::Put { bucket, key, conditions, .. } => bucket.refuses(key, conditions),
            Self::Delete { bucket, key } => bucket.refuses(key, &Conditions::default()),
            Self::CreateBucket { name, .. } if store.bucket(name).is_some() => {
                return Decision::Nothing;
            }
            Self::CreateBucket { .. } => None,
            Self::DeleteBucket { name } => store.refuses_removal(name),
        };
        refused.map_or(Decision::Log, Decision::Refused)
    }

    pub fn describe(&self) -> Described<'_> {
        let plain = |operation, key: String| Described {
            operation,
            key,
            metadata: &[],
            data: Data::Pieces(&[]),
            parts: 0,
            md5: [0; 16],
            time_ns: nanoseconds(SystemTime::now()),
        };
        match self {
            Self::Put { bucket, key, object, .. } => Described {
                metadata: object.kept.as_bytes(),
                data: Data::Pieces(object.body.pieces()),
                parts: object.parts,
                md5: object.md5,
                time_ns: nanoseconds(object.modified),
                ..plain(Operation::Put, [&bucket.name, "/", key].concat())
            },
            Self::Delete { bucket, key } => {
                plain(Operation::Delete, [&bucket.name, "/", key].concat())
            }
            Self::CreateBucket { name, created } => Described {
                time_ns: nanoseconds(*created),
                ..plain(Operation::CreateBucket, name.to_string())
            },
            Self::DeleteBucket { name } => plain(Operation::DeleteBucket, name.to_string()),
        }
    }

    /// What it replaced or deleted.
    pub fn apply(self, store: &Store) -> Option<Arc<Object>> {
        match self {
            Self::Put { bucket, key, object, .. } => return store.insert(&bucket, &key, object),
            Self::Delete { bucket, key } => return store.delete(&bucket, &key),
            Self::CreateBucket { name, created } => store.create(&name, created),
            Self::DeleteBucket { name } => drop(store.remove(&name)),
        }
        None
    }

    /// The room of an object that will not be stored.
    pub fn give_back(&self, store: &Store) {
        if let Self::Put { object, .. } = self {
            store.release(object.body.len() as u64);
        }
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
