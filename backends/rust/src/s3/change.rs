//! Changes of state: made in memory at once, or handed to the log's writer and waited for.

use std::sync::Arc;
use std::time::SystemTime;

use super::answer::Answer;
use super::failure::{self, Failure};
use super::{Exchange, Outcome};
use crate::conditions::Conditions;
use crate::log::{Change, Queue, Refusal};
use crate::object::Object;
use crate::store::{Bucket, Reservation, StoreError};
use crate::uploads::Completing;

pub type Made = Result<(), &'static Failure>;

/// What is to be written; the names are the request's.
#[derive(Debug)]
pub enum Write {
    Put { bucket: Arc<Bucket>, object: Arc<Object>, room: Reservation, conditions: Conditions },
    Delete(Arc<Bucket>),
    DeleteMany(Arc<Bucket>, Vec<String>),
    CreateBucket,
    RemoveBucket,
}

/// A change, and what is told once it is made.
#[derive(Debug)]
pub struct Pending {
    pub write: Write,
    pub told: Told,
}

/// What waits for a change.
#[derive(Debug)]
pub struct Told {
    answer: Answer,
    completing: Option<Completing>,
}

impl Pending {
    pub fn new(write: Write, answer: Answer) -> Self {
        Self { write, told: Told { answer, completing: None } }
    }

    /// The upload is over when the change is made, and open again when it is refused.
    pub fn completing(write: Write, answer: Answer, completing: Completing) -> Self {
        Self { write, told: Told { answer, completing: Some(completing) } }
    }
}

impl Told {
    pub fn outcome(self, made: Made) -> Outcome {
        if let (Err(_), Some(completing)) = (made, self.completing) {
            completing.reopen();
        }
        made.map(|()| self.answer)
    }
}

impl Write {
    /// Makes the change at once: there is no log.
    pub fn make(self, exchange: &Exchange<'_>) -> Made {
        let (asked, store) = (exchange.asked, &exchange.rules.shared.store);
        match self {
            Self::Put { bucket, object, room, conditions } => {
                let put = store.put(&bucket, asked.key(), object, room, &conditions);
                exchange.rules.use_again(put.map_err(of_store)?);
            }
            Self::Delete(bucket) => exchange.rules.use_again(store.delete(&bucket, asked.key())),
            Self::DeleteMany(bucket, keys) => {
                for key in &keys {
                    exchange.rules.use_again(store.delete(&bucket, key));
                }
            }
            Self::CreateBucket => store.create(asked.bucket(), SystemTime::now()),
            Self::RemoveBucket => return store.remove(asked.bucket()).map_err(of_store),
        }
        Ok(())
    }

    /// Hands it to the log's writer: many of them in one go, so that they share batches. How many
    /// outcomes will come, each with its ticket; an error does not take back those before it.
    pub fn push<T>(
        self,
        exchange: &Exchange<'_>,
        queue: &mut Queue<T>,
        mut ticket: impl FnMut() -> T,
    ) -> (usize, Made) {
        let asked = exchange.asked;
        let mut push = |change| queue.push(change, ticket()).map_err(of_refusal);
        let pushed = match self {
            Self::Put { bucket, object, room, conditions } => {
                let key = asked.key().into();
                let pushed = push(Change::Put { bucket, key, object, conditions });
                if pushed.is_ok() {
                    room.keep(); // the writer gives it back when it refuses
                }
                pushed
            }
            Self::Delete(bucket) => push(Change::Delete { bucket, key: asked.key().into() }),
            Self::DeleteMany(bucket, keys) => {
                let count = keys.len();
                for (number, key) in keys.into_iter().enumerate() {
                    let change = Change::Delete { bucket: bucket.clone(), key: key.into() };
                    if let Err(failed) = push(change) {
                        return (number, Err(failed));
                    }
                }
                return (count, Ok(()));
            }
            Self::CreateBucket => {
                let name = asked.bucket().into();
                push(Change::CreateBucket { name, created: SystemTime::now() })
            }
            Self::RemoveBucket => push(Change::DeleteBucket { name: asked.bucket().into() }),
        };
        (usize::from(pushed.is_ok()), pushed)
    }
}

pub fn of_refusal(refusal: Refusal) -> &'static Failure {
    match refusal {
        Refusal::Store(error) => of_store(error),
        Refusal::Full => &failure::SLOW_DOWN,
        Refusal::Failed => &failure::INTERNAL_ERROR,
    }
}

pub fn of_store(error: StoreError) -> &'static Failure {
    match error {
        StoreError::NoBucket => &failure::NO_SUCH_BUCKET,
        StoreError::NotEmpty => &failure::BUCKET_NOT_EMPTY,
        StoreError::NoKey => &failure::NO_SUCH_KEY,
        StoreError::Precondition => &failure::PRECONDITION,
    }
}
