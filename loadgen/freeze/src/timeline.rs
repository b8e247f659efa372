//! When the server freezes, and what it served right after: kept in memory, written at the end,
//! so that the log itself never disturbs the answer.

use crate::ledger::Ledger;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

/// Requests served after a freeze whose times are kept.
const SERVED_MAX: usize = 2048;
/// How long after a freeze they are kept.
const SERVED_FOR_NS: u64 = 100_000_000;

/// One freeze; times in ns on `CLOCK_MONOTONIC`.
#[allow(clippy::struct_field_names)] // the unit is part of every name
struct Freeze {
    start_ns: u64,
    end_ns: u64,
    /// When each request after it was answered, from `end_ns` on.
    served_ns: Vec<u64>,
}

/// The script: the first freeze begins one period after the first request.
pub struct Timeline {
    freeze_ns: u64,
    every_ns: u64,
    next_ns: Option<u64>,
    freezes: Vec<Freeze>,
    requests: u64,
    /// Begun, whether or not they were answered.
    numbered: u64,
}

impl Timeline {
    /// A script that has not begun.
    pub fn new(freeze: Duration, every: Duration) -> Self {
        let nanoseconds = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self {
            freeze_ns: nanoseconds(freeze),
            every_ns: nanoseconds(every),
            next_ns: None,
            freezes: Vec::with_capacity(4096),
            requests: 0,
            numbered: 0,
        }
    }

    /// How long the server may wait for events; None: for as long as it likes.
    pub fn until_next_ns(&self, now_ns: u64) -> Option<u64> {
        self.next_ns.map(|next| next.saturating_sub(now_ns))
    }

    /// The length of the freeze that is due now.
    pub fn due_ns(&self, now_ns: u64) -> Option<u64> {
        self.next_ns
            .is_some_and(|next| now_ns >= next)
            .then_some(self.freeze_ns)
    }

    /// A freeze took place.
    pub fn froze(&mut self, start_ns: u64, end_ns: u64) {
        let next = self.next_ns.unwrap_or(start_ns) + self.every_ns;
        self.next_ns = Some(next.max(end_ns));
        let served_ns = Vec::with_capacity(SERVED_MAX);
        self.freezes.push(Freeze {
            start_ns,
            end_ns,
            served_ns,
        });
    }

    /// A request has come: its number, from 1.
    pub fn counted(&mut self) -> u64 {
        self.numbered += 1;
        self.numbered
    }

    /// A request was answered.
    pub fn served(&mut self, now_ns: u64) {
        self.requests += 1;
        if self.next_ns.is_none() && self.freeze_ns > 0 {
            self.next_ns = Some(now_ns + self.every_ns);
        }
        if let Some(last) = self.freezes.last_mut() {
            let after = now_ns.saturating_sub(last.end_ns);
            if after <= SERVED_FOR_NS && last.served_ns.len() < SERVED_MAX {
                last.served_ns.push(after);
            }
        }
    }

    /// Writes everything as JSON lines.
    pub fn write(&self, log: &Path, ledger: &Ledger, cpu_ns: u64) -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(log)?);
        for freeze in &self.freezes {
            let line = serde_json::json!({
                "event": "freeze",
                "start_ns": freeze.start_ns,
                "end_ns": freeze.end_ns,
                "served_ns": freeze.served_ns,
            });
            writeln!(file, "{line}")?;
        }
        ledger.write(&mut file)?;
        let end = serde_json::json!({
            "event": "end",
            "requests": self.requests,
            "received": self.numbered,
            "lost": ledger.lost(),
            "cpu_ns": cpu_ns,
        });
        writeln!(file, "{end}")?;
        file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::Timeline;
    use std::time::Duration;

    #[test]
    fn freezes_keep_their_period_however_late_one_ends() {
        let mut line = Timeline::new(Duration::from_nanos(20), Duration::from_micros(1));
        assert_eq!(line.until_next_ns(0), None);
        line.served(100);
        assert_eq!(line.due_ns(1099), None);
        assert_eq!(line.due_ns(1100), Some(20));
        line.froze(1110, 1140);
        assert_eq!(line.until_next_ns(1140), Some(960));
        line.served(1145);
        assert_eq!(line.freezes[0].served_ns, [5]);
    }

    #[test]
    fn without_a_length_it_never_freezes() {
        let mut line = Timeline::new(Duration::ZERO, Duration::from_micros(1));
        line.served(100);
        assert_eq!(line.due_ns(u64::MAX), None);
    }
}
