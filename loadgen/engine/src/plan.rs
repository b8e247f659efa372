//! The plan: one JSON object on stdin that says everything a run needs, refused by key when wrong.

use crate::churn;
use crate::fault::Fault;
use crate::pace::Asked;
use crate::scenario::Scenario;
use crate::target::Target;
use serde::Deserialize;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The largest plan that is read; a scenario is a few kilobytes.
const PLAN_BYTES_MAX: u64 = 4 << 20;
const RATE_RPS_MIN: f64 = 0.001;
const RATE_RPS_MAX: f64 = 5e6;
const PARTS_MAX: usize = 1000;
const SECONDS_MAX: f64 = 7.0 * 86_400.0;
const CONNECTIONS_MAX: u32 = 60_000;
const THREADS_MAX: u32 = 256;
const PIPELINE_MAX: u32 = 1024;
const STREAMS_MAX: u32 = 1024;
const GRAIN_NS_MAX: u64 = 10_000_000;
const TIMEOUT_NS_MAX: u64 = 600_000_000_000;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub schema: u32,
    pub target: Target,
    pub scenario: Option<Scenario>,
    /// Of the warm-up, and of the measured part where there are no `parts`.
    pub rate_rps: f64,
    /// The measured part's stretches; their lengths together are `duration_s`.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// Every connection always has its depth of requests in flight, and nothing has an intended
    /// time: rates are not used.
    #[serde(default)]
    pub closed_loop: bool,
    pub warmup_s: f64,
    pub duration_s: f64,
    pub connections: u32,
    #[serde(default = "one")]
    pub threads: u32,
    #[serde(default = "h1")]
    pub protocol: String,
    #[serde(default = "one")]
    pub pipeline: u32,
    /// Requests in flight on a connection of `h2c`.
    #[serde(default = "one")]
    pub streams: u32,
    #[serde(default)]
    pub arrivals: Arrivals,
    pub seed: u64,
    #[serde(default = "default_grain_ns")]
    pub grain_ns: u64,
    #[serde(default)]
    pub pace: Asked,
    #[serde(default)]
    pub share: Share,
    #[serde(default = "default_timeout_ns")]
    pub timeout_ns: u64,
    #[serde(default)]
    pub cpus: Vec<usize>,
    #[serde(default)]
    pub start_at_ns: Option<u64>,
    #[serde(default)]
    pub records_path: Option<PathBuf>,
    /// Of `preload` and `cleanup`.
    #[serde(default)]
    pub bucket: BucketRule,
}

/// What is spoken on a connection, pipelined or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    Http1,
    Http2,
    FastCgi,
}

/// A step (both rates the same) or a ramp.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub from_rps: f64,
    pub to_rps: f64,
    pub duration_s: f64,
}

/// What happens to the scenario's bucket.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum BucketRule {
    /// Made unless it is there; `cleanup` deletes it.
    #[default]
    Make,
    /// As `make`, but refused when it is there.
    New,
    /// Neither made nor deleted.
    None,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    #[default]
    Uniform,
    Poisson,
}

#[derive(Clone, Copy, Debug, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    pub index: u32,
    pub count: u32,
}

impl Default for Share {
    fn default() -> Self {
        Self { index: 0, count: 1 }
    }
}

fn one() -> u32 {
    1
}

fn h1() -> String {
    "h1".to_owned()
}

fn default_grain_ns() -> u64 {
    20_000
}

fn default_timeout_ns() -> u64 {
    10_000_000_000
}

impl Plan {
    /// Reads and validates a plan.
    ///
    /// # Errors
    /// The first key that is unknown, missing, of the wrong type or out of range.
    pub fn read(input: impl Read) -> Result<Self, Fault> {
        let mut text = String::new();
        let read = input.take(PLAN_BYTES_MAX + 1).read_to_string(&mut text);
        read.map_err(|e| Fault::usage("plan", "cannot be read", "UTF-8 JSON on stdin", e))?;
        if text.len() as u64 > PLAN_BYTES_MAX {
            let expected = format!("at most {PLAN_BYTES_MAX} bytes");
            return Err(Fault::usage("plan", "too long", expected, "more"));
        }
        Self::parse(&text)
    }

    /// Parses and validates a plan.
    ///
    /// # Errors
    /// As `read`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut json = serde_json::Deserializer::from_str(text);
        let plan: Self = serde_path_to_error::deserialize(&mut json).map_err(|e| explain(&e))?;
        json.end()
            .map_err(|e| Fault::usage("plan", "more than one object", "one JSON object", e))?;
        plan.validate()?;
        Ok(plan)
    }

    fn validate(&self) -> Result<(), Fault> {
        if self.schema != 1 {
            return Err(Fault::usage("schema", "unknown schema", "1", self.schema));
        }
        self.validate_load()?;
        self.validate_protocol()?;
        self.target.validate()?;
        match (&self.scenario, &self.target.path) {
            (Some(scenario), _) => {
                scenario.validate()?;
                let lanes = u64::from(self.share.count) * u64::from(self.threads);
                churn::suffices(scenario.objects.churn, lanes)
            }
            (None, Some(_)) => Ok(()),
            (None, None) => {
                let expected = "a scenario, or target.path";
                Err(Fault::usage("scenario", "nothing to ask", expected, "null"))
            }
        }
    }

    fn validate_load(&self) -> Result<(), Fault> {
        if !self.closed_loop {
            between("rate_rps", self.rate_rps, RATE_RPS_MIN, RATE_RPS_MAX)?;
        }
        between("warmup_s", self.warmup_s, 0.0, SECONDS_MAX)?;
        between("duration_s", self.duration_s, 0.001, SECONDS_MAX)?;
        self.validate_parts()?;
        let within = |place: &str, found: u64, least: u64, most: u64| {
            let expected = format!("{least} to {most}");
            (least..=most)
                .contains(&found)
                .then_some(())
                .ok_or_else(|| Fault::usage(place, "out of range", expected, found))
        };
        let most = u64::from(CONNECTIONS_MAX);
        within("connections", self.connections.into(), 1, most)?;
        let most = u64::from(THREADS_MAX.min(self.connections));
        within("threads", self.threads.into(), 1, most)?;
        within("grain_ns", self.grain_ns, 1, GRAIN_NS_MAX)?;
        within("timeout_ns", self.timeout_ns, 1_000_000, TIMEOUT_NS_MAX)?;
        within("share.count", self.share.count.into(), 1, 1_000_000)?;
        let most = u64::from(self.share.count) - 1;
        within("share.index", self.share.index.into(), 0, most)
    }

    fn validate_parts(&self) -> Result<(), Fault> {
        if self.parts.is_empty() {
            return Ok(());
        }
        if self.closed_loop || self.parts.len() > PARTS_MAX {
            let expected = format!("at most {PARTS_MAX}, and none with closed_loop");
            let found = self.parts.len();
            return Err(Fault::usage("parts", "too many", expected, found));
        }
        for (at, part) in self.parts.iter().enumerate() {
            let place = |key: &str| format!("parts[{at}].{key}");
            let (least, most) = (RATE_RPS_MIN, RATE_RPS_MAX);
            between(&place("from_rps"), part.from_rps, least, most)?;
            between(&place("to_rps"), part.to_rps, least, most)?;
            between(&place("duration_s"), part.duration_s, 0.001, SECONDS_MAX)?;
        }
        let sum: f64 = self.parts.iter().map(|part| part.duration_s).sum();
        if (sum - self.duration_s).abs() > 1e-6 * self.duration_s {
            let expected = format!("durations that make {} s together", self.duration_s);
            return Err(Fault::usage("parts", "another length", expected, sum));
        }
        Ok(())
    }

    fn validate_protocol(&self) -> Result<(), Fault> {
        let (pipeline, streams) = match self.protocol.as_str() {
            "h1" | "fastcgi" => (1, 1),
            "h1-pipelined" => (PIPELINE_MAX, 1),
            "h2c" => (1, STREAMS_MAX),
            other => {
                let expected = "\"h1\", \"h1-pipelined\", \"h2c\" or \"fastcgi\"";
                return Err(Fault::usage("protocol", "unknown", expected, other));
            }
        };
        let within = |place: &str, found: u32, most: u32| {
            let expected = format!("1 to {most}");
            let what = format!("out of range for {}", self.protocol);
            (1..=most)
                .contains(&found)
                .then_some(())
                .ok_or_else(|| Fault::usage(place, what, expected, found))
        };
        within("pipeline", self.pipeline, pipeline)?;
        within("streams", self.streams, streams)
    }

    /// What its connections speak.
    #[must_use]
    pub fn spoken(&self) -> Spoken {
        match self.protocol.as_str() {
            "h2c" => Spoken::Http2,
            "fastcgi" => Spoken::FastCgi,
            _ => Spoken::Http1,
        }
    }

    /// Requests in flight on a connection, whatever they are called.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.pipeline.max(self.streams) as usize
    }

    /// Where to connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.target.address, self.target.port)
    }

    /// Whether this is a run of one path, not of the scenario's objects.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.target.path.as_deref()
    }
}

fn between(place: &str, found: f64, least: f64, most: f64) -> Result<(), Fault> {
    let good = found >= least && found <= most; // false for NaN as well
    let expected = format!("{least} to {most}");
    good.then_some(())
        .ok_or_else(|| Fault::usage(place, "out of range", expected, found))
}

/// serde's message, cut into what, expected and found.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> Fault {
    let path = error.path().to_string();
    let nowhere = matches!(path.as_str(), "." | ""); // the second: of an empty key
    let place = if nowhere { "plan".to_owned() } else { path };
    let message = error.inner().to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    let (what, expected) = message
        .split_once(", expected ")
        .unwrap_or((message, "valid JSON"));
    let (what, found) = what.split_once(": ").unwrap_or((what, what));
    if place.starts_with("target.credentials") {
        // what was found may be a key
        return Fault::usage(place, "not as expected", expected, "not shown");
    }
    Fault::usage(place, what, expected, found)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
