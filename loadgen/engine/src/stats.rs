//! What a thread counts: one `Second` at a time, handed over and given back, and `Totals` over the
//! measured part.

use crate::kind::Kind;
use base64::Engine;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use hdrhistogram::Histogram;

/// The largest time a histogram holds: 60 s. Longer ones count there, and as overflow.
pub const HIGHEST_NS: u64 = 60_000_000_000;
const DIGITS: u8 = 3;

/// A histogram of nanoseconds as the contract has it: 1 to 60e9, 3 digits.
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        match Histogram::new_with_bounds(1, HIGHEST_NS, DIGITS) {
            Ok(histogram) => Self(histogram),
            Err(_) => unreachable!("constant bounds, accepted by the tests"),
        }
    }
}

impl Times {
    /// Counts `time_ns`; true when it was beyond the bounds (it is then counted at the highest).
    pub fn record(&mut self, time_ns: u64) -> bool {
        self.0.saturating_record(time_ns);
        time_ns > HIGHEST_NS
    }

    pub fn merge(&mut self, other: &Self) {
        // Same bounds on both sides: nothing can be out of range.
        let added = self.0.add(&other.0);
        debug_assert!(added.is_ok());
    }

    pub fn clear(&mut self) {
        if !self.0.is_empty() {
            self.0.reset();
        }
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    #[must_use]
    pub fn quantile_ns(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile)
    }

    /// Base64 of the `HdrHistogram` V2 compressed form.
    #[must_use]
    pub fn encoded(&self, serializer: &mut V2DeflateSerializer) -> String {
        let mut bytes = Vec::new();
        let done = serializer.serialize(&self.0, &mut bytes);
        debug_assert!(done.is_ok(), "writing to a vector cannot fail");
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }
}

/// The four times of one request, or the histograms of many.
#[derive(Clone, Debug, Default)]
pub struct FourTimes {
    pub response: Times,
    pub service: Times,
    pub own_fault_lag: Times,
    pub backlog_lag: Times,
}

impl FourTimes {
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.parts_mut().into_iter().zip(other.parts()) {
            mine.merge(theirs);
        }
    }

    pub fn clear(&mut self) {
        self.parts_mut().into_iter().for_each(Times::clear);
    }

    fn parts(&self) -> [&Times; 4] {
        [
            &self.response,
            &self.service,
            &self.own_fault_lag,
            &self.backlog_lag,
        ]
    }

    fn parts_mut(&mut self) -> [&mut Times; 4] {
        [
            &mut self.response,
            &mut self.service,
            &mut self.own_fault_lag,
            &mut self.backlog_lag,
        ]
    }

    /// The contract's `histograms` object.
    pub fn json(&self, serializer: &mut V2DeflateSerializer) -> serde_json::Value {
        serde_json::json!({
            "response": self.response.encoded(serializer),
            "service": self.service.encoded(serializer),
            "own_fault_lag": self.own_fault_lag.encoded(serializer),
            "backlog_lag": self.backlog_lag.encoded(serializer),
        })
    }
}

/// Counters that seconds and totals share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub sent: u64,
    pub completed: u64,
    pub good: u64,
    pub errors: [u64; Kind::ALL.len()],
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub overflow: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.completed += other.completed;
        self.good += other.good;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.overflow += other.overflow;
        for (mine, theirs) in self.errors.iter_mut().zip(other.errors) {
            *mine += theirs;
        }
    }

    /// Counts an ended request.
    pub fn end(&mut self, kind: Option<Kind>) {
        self.completed += 1;
        match kind {
            None => self.good += 1,
            Some(kind) => self.errors[kind as usize] += 1,
        }
    }

    /// Errors by name, only those that happened.
    #[must_use]
    pub fn errors_json(&self) -> serde_json::Value {
        let named = Kind::ALL
            .iter()
            .zip(self.errors)
            .filter(|(_, count)| *count > 0);
        named
            .map(|(kind, count)| (kind.name().to_owned(), count.into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// What one thread did in one second of the clock, counted from the first slot.
#[derive(Clone, Debug, Default)]
pub struct Second {
    pub index: u64,
    pub counts: Counts,
    pub times: FourTimes,
    pub in_flight: u64,
    /// CPU time of the whole process; taken by the first thread only.
    pub cpu_ns: u64,
    /// For which the thread was runnable and did not run.
    pub runqueue_ns: u64,
    /// No slot counts as offered from here on (an interrupt); the largest number when none.
    pub cut_ns: u64,
}

impl Second {
    pub fn merge(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.times.merge(&other.times);
        self.in_flight += other.in_flight;
        self.cpu_ns += other.cpu_ns;
        self.runqueue_ns += other.runqueue_ns;
        self.cut_ns = self.cut_ns.min(other.cut_ns);
    }

    /// Empty, for another second.
    pub fn clear(&mut self) {
        self.counts = Counts::default();
        self.times.clear();
        (self.in_flight, self.cpu_ns, self.runqueue_ns) = (0, 0, 0);
    }
}

/// One operation over the measured part.
#[derive(Clone, Debug, Default)]
pub struct OperationTotals {
    pub good: u64,
    pub errors: u64,
    pub response: Times,
}

/// What one thread did: counts and times of the requests intended in the measured part, then facts
/// of the whole run.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub counts: Counts,
    /// Good answers that were there by `end_ns`: what the achieved rate is made of.
    pub good_by_end: u64,
    pub operations: Vec<OperationTotals>,
    /// `response` stays empty here: it is the sum of the operations'.
    pub times: FourTimes,
    pub unfinished: u64,
    pub digests_checked: u64,
    pub digests_wrong: u64,
    /// Requests of the measured part that were not signed when their time had come.
    pub signed_late: u64,
    /// What a responder of FastCGI wrote beside its answers; none where something else is spoken.
    pub stderr_bytes: Option<u64>,
    pub connections_opened: u64,
    pub connections_lost: u64,
    pub records_dropped: u64,
    pub interrupted: bool,
    /// Objects that `preload` could not put or read, and the first failure in words.
    pub failed: Vec<u64>,
    pub failure: Option<String>,
    /// What ended a thread before its schedule did.
    pub broken: Option<String>,
}

impl Totals {
    #[must_use]
    pub fn new(operations: usize) -> Self {
        Self {
            operations: vec![OperationTotals::default(); operations],
            ..Self::default()
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.counts.add(&other.counts);
        self.good_by_end += other.good_by_end;
        for (mine, theirs) in self.operations.iter_mut().zip(&other.operations) {
            mine.good += theirs.good;
            mine.errors += theirs.errors;
            mine.response.merge(&theirs.response);
        }
        self.times.merge(&other.times);
        self.unfinished += other.unfinished;
        self.digests_checked += other.digests_checked;
        self.digests_wrong += other.digests_wrong;
        self.signed_late += other.signed_late;
        let stderr_bytes = [self.stderr_bytes, other.stderr_bytes].into_iter();
        self.stderr_bytes = stderr_bytes.flatten().reduce(|one, two| one + two);
        self.connections_opened += other.connections_opened;
        self.connections_lost += other.connections_lost;
        self.records_dropped += other.records_dropped;
        self.interrupted |= other.interrupted;
        self.failed.extend(other.failed);
        self.failure = self.failure.take().or(other.failure);
        self.broken = self.broken.take().or(other.broken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_the_highest_are_held_and_more_overflows() {
        let mut times = Times::default();
        assert!(!times.record(0) && !times.record(HIGHEST_NS) && times.record(HIGHEST_NS + 1));
        assert_eq!(times.count(), 3);
        let encoded = times.encoded(&mut V2DeflateSerializer::new());
        assert!(encoded.starts_with("HISTF"), "{encoded}");
    }

    #[test]
    fn merged_histograms_hold_all_and_cleared_ones_nothing() {
        let (mut a, mut b) = (FourTimes::default(), FourTimes::default());
        for n in 0..1000 {
            a.response.record(n * 1000);
            b.response.record(n * 2000);
        }
        a.merge(&b);
        assert_eq!(a.response.count(), 2000);
        a.clear();
        assert_eq!(a.response.count(), 0);
    }

    #[test]
    fn only_errors_that_happened_are_named() {
        let mut counts = Counts::default();
        counts.end(Some(Kind::Digest));
        counts.end(None);
        assert_eq!(counts.errors_json(), serde_json::json!({"digest": 1}));
        assert_eq!((counts.completed, counts.good), (2, 1));
    }
}
