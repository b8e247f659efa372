//! Changes of state: made in memory at once, or handed to the log's writer and waited for.

use std::sync::Arc;
use std::time::SystemTime;

use super::Worker;
use super::failure::{self, Failure};
use crate::log::{Change, Refusal};
use crate::store::{Bucket, Object, Reservation, StoreError};

type Changed = Result<(), &'static Failure>;

impl Worker {
    pub async fn put(
        &self,
        bucket: &Arc<Bucket>,
        key: &str,
        object: Object,
        room: Reservation<'_>,
        only_if_absent: bool,
    ) -> Changed {
        if self.log.is_none() {
            let put = self.shared.store.put(bucket, key, object, room, only_if_absent);
            return put.map_err(of_store);
        }
        let bytes = room.bytes();
        let object = Arc::new(object);
        let change =
            Change::Put { bucket: bucket.clone(), key: key.into(), object, only_if_absent };
        room.keep(); // the writer gives it back when it refuses
        self.through_log(change).await.inspect_err(|failed| {
            if failed.is_before_writer {
                self.shared.store.release(bytes);
            }
        })?;
        Ok(())
    }

    pub async fn delete(&self, bucket: &Arc<Bucket>, key: &str) -> Changed {
        if self.log.is_none() {
            self.shared.store.delete(bucket, key);
            return Ok(());
        }
        let change = Change::Delete { bucket: bucket.clone(), key: key.into() };
        Ok(self.through_log(change).await?)
    }

    /// All of them in one go, so that they share batches; answered when the last is durable.
    pub async fn delete_all(&self, bucket: &Arc<Bucket>, keys: &[String]) -> Changed {
        let Some(log) = &self.log else {
            for key in keys {
                self.shared.store.delete(bucket, key);
            }
            return Ok(());
        };
        let mut waiting = Vec::with_capacity(keys.len());
        for key in keys {
            let change = Change::Delete { bucket: bucket.clone(), key: key.as_str().into() };
            waiting.push(log.borrow_mut().push(change).map_err(of_refusal)?);
        }
        for outcome in waiting {
            outcome.await.unwrap_or(Err(Refusal::Failed)).map_err(of_refusal)?;
        }
        Ok(())
    }

    pub async fn create_bucket(&self, name: &str) -> Changed {
        if self.log.is_none() {
            self.shared.store.create(name, SystemTime::now());
            return Ok(());
        }
        let change = Change::CreateBucket { name: name.into(), created: SystemTime::now() };
        Ok(self.through_log(change).await?)
    }

    pub async fn remove_bucket(&self, name: &str) -> Changed {
        if self.log.is_none() {
            return self.shared.store.remove(name).map_err(of_store);
        }
        Ok(self.through_log(Change::DeleteBucket { name: name.into() }).await?)
    }

    async fn through_log(&self, change: Change) -> Result<(), NotMade> {
        let pushed = match &self.log {
            Some(log) => log.borrow_mut().push(change),
            None => Err(Refusal::Failed),
        };
        let outcome = pushed.map_err(|refusal| NotMade { refusal, is_before_writer: true })?.await;
        let outcome = outcome.unwrap_or(Err(Refusal::Failed));
        outcome.map_err(|refusal| NotMade { refusal, is_before_writer: false })
    }
}

/// A change that was refused, and whether the writer ever had it.
struct NotMade {
    refusal: Refusal,
    is_before_writer: bool,
}

impl From<NotMade> for &'static Failure {
    fn from(failed: NotMade) -> Self {
        of_refusal(failed.refusal)
    }
}

fn of_refusal(refusal: Refusal) -> &'static Failure {
    match refusal {
        Refusal::Store(error) => of_store(error),
        Refusal::Full => &failure::SLOW_DOWN,
        Refusal::Failed => &failure::INTERNAL_ERROR,
    }
}

fn of_store(error: StoreError) -> &'static Failure {
    match error {
        StoreError::NoBucket => &failure::NO_SUCH_BUCKET,
        StoreError::NotEmpty => &failure::BUCKET_NOT_EMPTY,
        StoreError::Exists => &failure::PRECONDITION,
    }
}
