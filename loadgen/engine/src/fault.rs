//! A failure that the user must hear about: where, what, what was expected, what was found, and
//! what to do.

use std::fmt;

/// Whose fault it is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The plan or the command line is wrong: exit 2.
    Usage,
    /// The machine, the network or the target cannot do it: exit 4.
    Environment,
    /// Anything else: exit 1.
    Other,
}

/// One failure, printed as a JSON `error` event and as `error:` and `hint:` lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub blame: Blame,
    pub place: String,
    pub what: String,
    pub expected: String,
    pub found: String,
    pub hint: String,
}

impl Fault {
    /// A fault of the plan or of the command line.
    pub fn usage(
        place: impl Into<String>,
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl fmt::Display,
    ) -> Self {
        Self {
            blame: Blame::Usage,
            place: place.into(),
            what: what.into(),
            expected: expected.into(),
            found: found.to_string(),
            hint: "correct the plan; loadgen/CONTRACT.md describes every key".to_owned(),
        }
    }

    /// A fault of the machine or of the target.
    pub fn environment(
        place: impl Into<String>,
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl fmt::Display,
    ) -> Self {
        Self {
            blame: Blame::Environment,
            hint: "look at the target and at this machine's limits, then run again".to_owned(),
            ..Self::usage(place, what, expected, found)
        }
    }

    /// The same fault with another next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The process's exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.blame {
            Blame::Usage => 2,
            Blame::Environment => 4,
            Blame::Other => 1,
        }
    }

    /// The JSON event of the contract.
    #[must_use]
    pub fn event(&self) -> serde_json::Value {
        serde_json::json!({
            "event": "error", "where": self.place, "what": self.what,
            "expected": self.expected, "found": self.found, "hint": self.hint,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "error: {}: {}, expected {}, got {}\nhint: {}",
            self.place, self.what, self.expected, self.found, self.hint
        )
    }
}

impl std::error::Error for Fault {}
