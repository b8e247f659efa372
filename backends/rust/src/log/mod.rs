//! The log of backends/LOG.md: one format in every language, one writer, recovery at start.

mod ahead;
mod change;
mod queue;
mod record;
mod recovery;
mod segment;
mod writer;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub use change::Change;
pub use queue::{Outcome, Queue, Refusal};
#[cfg(test)]
pub use record::Data;
pub use record::{Operation, Record};
pub use recovery::{Recovered, recover};
pub use writer::{Started, Tell, start};

/// When a write is acknowledged; see the table in backends/LOG.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Ram,
    Buffered,
    Interval,
    Batch,
    Sync,
}

impl FromStr for Durability {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "ram" => Ok(Self::Ram),
            "buffered" => Ok(Self::Buffered),
            "interval" => Ok(Self::Interval),
            "batch" => Ok(Self::Batch),
            "sync" => Ok(Self::Sync),
            _ => Err(()),
        }
    }
}

/// What the flags say of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub durability: Durability,
    pub directory: PathBuf,
    pub sync_interval: Duration,
    pub segment_bytes: u64,
    pub log_bytes_max: u64,
}

/// Why a log cannot be used: a line for the user, and how the process ends.
#[derive(Debug)]
pub enum LogError {
    /// The directory, its lock or its size: the environment.
    Environment(String),
    /// What was synced is not there any more.
    Corrupt(String),
}

#[cfg(test)]
mod tests;
