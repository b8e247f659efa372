//! What is asked: a scenario's objects, its weighted operations and its checks, parsed and
//! validated.

use crate::fault::Fault;
use crate::key::Key;
use crate::objects::{Objects, Preload};
use serde::Deserialize;

/// 5 GiB, the largest object of S3's single PUT; also the largest answer that the engine reads.
pub const BODY_BYTES_MAX: u64 = 5 << 30;
const OPERATIONS_MAX: usize = 32;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub schema: u32,
    pub name: String,
    #[serde(default)]
    pub title: String,
    pub objects: Objects,
    pub operations: Vec<Operation>,
    pub check: Check,
    #[serde(default)]
    pub preload: Preload,
    /// What a target must have beside its operations; for whoever chooses targets, not for the
    /// engine.
    #[serde(default)]
    pub needs: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    pub name: Verb,
    pub weight: u32,
    pub status: u16,
    /// Of `range` only: how many bytes are asked for, of a smaller object all.
    pub length_bytes: Option<u64>,
    /// Of `list` only: `max-keys`.
    pub keys: Option<u32>,
    /// Of `list` only: what keys begin with.
    pub prefix: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    Get,
    Put,
    Head,
    Delete,
    List,
    Range,
}

impl Verb {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Head => "head",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Range => "range",
        }
    }

    /// Whether it must find an object.
    #[must_use]
    pub fn reads(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Range)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub digest_one_in: u64,
}

impl Scenario {
    /// Refuses what cannot be run, by key.
    ///
    /// # Errors
    /// The first key that is wrong, under `scenario.`.
    pub fn validate(&self) -> Result<(), Fault> {
        if self.schema != 1 {
            return Err(wrong("schema", "unknown schema", "1", self.schema));
        }
        self.objects.validate()?;
        let count = self.operations.len();
        if count == 0 || count > OPERATIONS_MAX {
            let expected = format!("1 to {OPERATIONS_MAX}");
            return Err(wrong(
                "operations",
                "bad number of operations",
                &expected,
                count,
            ));
        }
        for (index, operation) in self.operations.iter().enumerate() {
            operation.validate(index, &self.objects)?;
            let same = |earlier: &Operation| earlier.name == operation.name;
            if self.operations[..index].iter().any(same) {
                let place = format!("operations.{index}.name");
                let name = operation.name.name();
                return Err(wrong(&place, "operation twice", "each name once", name));
            }
        }
        let reads = self.operations.iter().any(|one| one.name.reads());
        self.preload.validate(self.objects.count, reads)?;
        self.validate_churn(reads)
    }

    fn weight(&self, verb: Verb) -> u32 {
        let found = self.operations.iter().find(|one| one.name == verb);
        found.map_or(0, |operation| operation.weight)
    }

    /// Reads must find what they ask for, and churn must not run dry.
    fn validate_churn(&self, reads: bool) -> Result<(), Fault> {
        let (deletes, puts) = (self.weight(Verb::Delete), self.weight(Verb::Put));
        match self.objects.churn {
            0 if deletes > 0 && reads => {
                let expected = "objects of its own for delete, for get, head and range miss others";
                Err(wrong("objects.churn", "too few", expected, 0))
            }
            0 => Ok(()),
            found if deletes == 0 => {
                let expected = "it only with an operation \"delete\"";
                Err(wrong("objects.churn", "no use for it", expected, found))
            }
            _ if deletes > puts => {
                let expected = format!("at most the weight of put ({puts}), which brings back");
                let at = self
                    .operations
                    .iter()
                    .position(|one| one.name == Verb::Delete);
                let place = format!("operations.{}.weight", at.unwrap_or(0));
                Err(wrong(&place, "out of range", &expected, deletes))
            }
            _ => Ok(()),
        }
    }

    /// How many objects are there before a run.
    #[must_use]
    pub fn preloaded(&self) -> u64 {
        self.readable() + self.objects.churn / 2
    }

    /// How many objects, the first ones, may be read.
    #[must_use]
    pub fn readable(&self) -> u64 {
        self.preload.count.unwrap_or(self.objects.count)
    }

    /// The index of the preload's object number `place`.
    #[must_use]
    pub fn preloaded_index(&self, place: u64) -> u64 {
        match place.checked_sub(self.readable()) {
            None => place,
            Some(beyond) => self.objects.count + beyond,
        }
    }
}

impl Operation {
    fn validate(&self, index: usize, objects: &Objects) -> Result<(), Fault> {
        let place = |key: &str| format!("operations.{index}.{key}");
        within(&place("weight"), u64::from(self.weight), 1, 1_000_000)?;
        within(&place("status"), u64::from(self.status), 200, 599)?;
        match (self.name, self.length_bytes) {
            (Verb::Range, Some(length)) => {
                within(&place("length_bytes"), length, 1, objects.largest())?;
            }
            (Verb::Range, None) => {
                let expected = "how many bytes are asked for";
                return Err(wrong(
                    &place("length_bytes"),
                    "missing",
                    expected,
                    "nothing",
                ));
            }
            (_, Some(length)) => return Err(only(&place("length_bytes"), Verb::Range, length)),
            (_, None) => {}
        }
        match (self.name, self.keys) {
            (Verb::List, Some(keys)) => within(&place("keys"), u64::from(keys), 1, 1000)?,
            (_, Some(keys)) => return Err(only(&place("keys"), Verb::List, keys)),
            (_, None) => {}
        }
        match (self.name, &self.prefix) {
            (Verb::List, Some(prefix)) => {
                Key::of_prefix(&place("prefix"), prefix, objects).map(|_| ())
            }
            (_, Some(prefix)) => Err(only(&place("prefix"), Verb::List, prefix)),
            (_, None) => Ok(()),
        }
    }
}

/// A key that only one operation has.
fn only(key: &str, verb: Verb, found: impl std::fmt::Display) -> Fault {
    let expected = format!("it only with name \"{}\"", verb.name());
    wrong(key, "no use for it", &expected, found)
}

/// Refuses a number beyond its ends.
pub(crate) fn within(key: &str, found: u64, least: u64, most: u64) -> Result<(), Fault> {
    let expected = format!("{least} to {most}");
    (least..=most)
        .contains(&found)
        .then_some(())
        .ok_or_else(|| wrong(key, "out of range", &expected, found))
}

pub(crate) fn wrong(key: &str, what: &str, expected: &str, found: impl std::fmt::Display) -> Fault {
    Fault::usage(format!("scenario.{key}"), what, expected, found)
        .hint("correct the scenario's file; loadgen/scenarios/ holds working examples")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the harness' reader of scenarios is tested with as well.
    const CASES: &str = include_str!("../tests/scenarios.json");

    #[test]
    fn each_wrong_value_is_named() {
        let cases: serde_json::Value = serde_json::from_str(CASES).unwrap();
        for case in cases["cases"].as_array().unwrap() {
            let mut json = cases["base"].clone();
            for (pointer, value) in case["set"].as_object().unwrap() {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                match json.pointer_mut(parent).unwrap() {
                    serde_json::Value::Array(list) => {
                        list[key.parse::<usize>().unwrap()] = value.clone();
                    }
                    table if value.is_null() => drop(table.as_object_mut().unwrap().remove(key)),
                    table => table[key] = value.clone(),
                }
            }
            let read = serde_json::from_value::<Scenario>(json);
            let found = read.map(|scenario| scenario.validate().err().map(|fault| fault.place));
            let expected = case["wrong"].as_str().map(|key| format!("scenario.{key}"));
            match found {
                Ok(place) => assert_eq!(place, expected, "{case}"),
                // serde's own refusal: the plan's parser names the key, or the table that it is in.
                Err(error) => assert!(case["form"] == true, "{case}: {error}"),
            }
        }
    }

    #[test]
    fn churn_is_preloaded_by_half_after_the_objects() {
        let mut json: serde_json::Value = serde_json::from_str(CASES).unwrap();
        json["base"]["objects"]["churn"] = 20.into();
        json["base"]["preload"] = serde_json::json!({"count": 4});
        let scenario: Scenario = serde_json::from_value(json["base"].take()).unwrap();
        let all: Vec<u64> = (0..scenario.preloaded())
            .map(|place| scenario.preloaded_index(place))
            .collect();
        assert_eq!(all[..5], [0, 1, 2, 3, 10]);
        assert_eq!((all.len(), all[13]), (14, 19));
    }
}
