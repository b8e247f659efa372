//! What was done to which request and when: kept in memory, written at the end.

use crate::script::Deed;
use std::io::Write;

/// More than any known-answer test makes; what is beyond is counted.
const EVENTS_MAX: usize = 1 << 20;
/// Enough that its growth is no event of its own.
const EVENTS_FIRST: usize = 1 << 16;

/// One scripted deed; times in ns on `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    pub deed: Deed,
    /// The request's number, from 1.
    pub number: u64,
    pub received_ns: u64,
    /// When the first bytes of the answer, and the last, were handed to the kernel; 0: never.
    pub first_ns: u64,
    pub last_ns: u64,
}

/// All of them, in the order in which they ended.
#[derive(Debug, Default)]
pub struct Ledger {
    done: Vec<Done>,
    lost: u64,
}

impl Ledger {
    /// One more.
    pub fn add(&mut self, done: Done) {
        if self.done.is_empty() {
            self.done.reserve(EVENTS_FIRST);
        }
        if self.done.len() < EVENTS_MAX {
            self.done.push(done);
        } else {
            self.lost += 1;
        }
    }

    /// How many did not find room.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Writes them as JSON lines.
    pub fn write(&self, file: &mut impl Write) -> std::io::Result<()> {
        for done in &self.done {
            let Some(name) = done.deed.name() else {
                continue;
            };
            let line = serde_json::json!({
                "event": name,
                "number": done.number,
                "received_ns": done.received_ns,
                "first_ns": done.first_ns,
                "last_ns": done.last_ns,
            });
            writeln!(file, "{line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Done, Ledger};
    use crate::script::Deed;

    #[test]
    fn what_was_done_is_written_with_its_times() {
        let mut ledger = Ledger::default();
        let done = Done {
            deed: Deed::Slow,
            number: 100,
            received_ns: 5,
            first_ns: 25,
            last_ns: 26,
        };
        ledger.add(done);
        ledger.add(Done {
            deed: Deed::Answer,
            ..done
        });
        let mut text = Vec::new();
        ledger.write(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(
            text.lines().count(),
            1,
            "an answer without a script: {text}"
        );
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(line["event"], "slow");
        assert_eq!(line["number"], 100);
        assert_eq!(line["last_ns"], 26);
    }
}
