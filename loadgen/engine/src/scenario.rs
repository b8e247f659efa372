//! What is asked: a scenario's objects, its weighted operations and its checks, parsed and
//! validated.

use crate::fault::Fault;
use crate::key::Key;
use serde::Deserialize;

/// 5 GiB, the largest object of S3's single PUT; also the largest answer that the engine reads.
pub const BODY_BYTES_MAX: u64 = 5 << 30;
const OBJECTS_MAX: u64 = 10_000_000_000;
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
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    pub bucket: String,
    pub count: u64,
    pub size_bytes: u64,
    pub key: String,
    #[serde(default)]
    pub popularity: PopularityName,
    /// Of `zipf` only.
    pub exponent: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum PopularityName {
    #[default]
    Uniform,
    Zipf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    pub name: Verb,
    pub weight: u32,
    pub status: u16,
    /// Of `range` only: how many bytes are asked for.
    pub length_bytes: Option<u64>,
    /// Of `list` only: `max-keys`.
    pub keys: Option<u32>,
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
        Ok(())
    }
}

impl Objects {
    fn validate(&self) -> Result<(), Fault> {
        let range = |name: &str, found: u64, most: u64| {
            let place = format!("objects.{name}");
            let expected = format!("1 to {most}");
            (1..=most)
                .contains(&found)
                .then_some(())
                .ok_or_else(|| wrong(&place, "out of range", &expected, found))
        };
        range("count", self.count, OBJECTS_MAX)?;
        range("size_bytes", self.size_bytes, BODY_BYTES_MAX)?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if !(3..=63).contains(&self.bucket.len()) || !self.bucket.chars().all(plain) {
            let expected = "3 to 63 of a-z, 0-9, '-' and '.'";
            return Err(wrong(
                "objects.bucket",
                "bad bucket name",
                expected,
                &self.bucket,
            ));
        }
        Key::parse(&self.key)?;
        match (self.popularity, self.exponent) {
            (PopularityName::Uniform, None) => Ok(()),
            (PopularityName::Zipf, Some(e)) if e > 0.0 && e <= 10.0 => Ok(()),
            (PopularityName::Uniform, Some(e)) => {
                let expected = "no exponent with popularity \"uniform\"";
                Err(wrong("objects.exponent", "no use for it", expected, e))
            }
            (PopularityName::Zipf, found) => {
                let found = found.map_or("nothing".to_owned(), |e| e.to_string());
                let expected = "a number above 0 and at most 10";
                Err(wrong(
                    "objects.exponent",
                    "bad exponent of zipf",
                    expected,
                    found,
                ))
            }
        }
    }
}

impl Operation {
    fn validate(&self, index: usize, objects: &Objects) -> Result<(), Fault> {
        let place = |key: &str| format!("operations.{index}.{key}");
        if !(1..=1_000_000).contains(&self.weight) {
            return Err(wrong(
                &place("weight"),
                "out of range",
                "1 to 1000000",
                self.weight,
            ));
        }
        if !(200..=599).contains(&self.status) {
            return Err(wrong(
                &place("status"),
                "out of range",
                "200 to 599",
                self.status,
            ));
        }
        match (self.name, self.length_bytes) {
            (Verb::Range, Some(length)) if length >= 1 && length <= objects.size_bytes => {}
            (Verb::Range, found) => {
                let expected = format!("1 to {} (the object's size)", objects.size_bytes);
                let found = found.map_or("nothing".to_owned(), |length| length.to_string());
                return Err(wrong(
                    &place("length_bytes"),
                    "bad length",
                    &expected,
                    found,
                ));
            }
            (_, Some(length)) => {
                let expected = "it only with name \"range\"";
                return Err(wrong(
                    &place("length_bytes"),
                    "no use for it",
                    expected,
                    length,
                ));
            }
            (_, None) => {}
        }
        match (self.name, self.keys) {
            (_, None) | (Verb::List, Some(1..=1000)) => Ok(()),
            (Verb::List, Some(keys)) => {
                Err(wrong(&place("keys"), "out of range", "1 to 1000", keys))
            }
            (_, Some(keys)) => {
                let expected = "it only with name \"list\"";
                Err(wrong(&place("keys"), "no use for it", expected, keys))
            }
        }
    }
}

pub(crate) fn wrong(key: &str, what: &str, expected: &str, found: impl std::fmt::Display) -> Fault {
    Fault::usage(format!("scenario.{key}"), what, expected, found)
        .hint("correct the scenario's file; loadgen/scenarios/ holds working examples")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> serde_json::Value {
        serde_json::json!({
            "schema": 1, "name": "small", "title": "t",
            "objects": {"bucket": "bench", "count": 10, "size_bytes": 100, "key": "o-{index}"},
            "operations": [{"name": "get", "weight": 9, "status": 200},
                           {"name": "range", "weight": 1, "status": 206, "length_bytes": 10}],
            "check": {"digest_one_in": 10}})
    }

    #[test]
    fn each_wrong_value_is_named() {
        let cases = [
            ("/schema", serde_json::json!(2), "scenario.schema"),
            (
                "/objects/count",
                serde_json::json!(0),
                "scenario.objects.count",
            ),
            (
                "/objects/size_bytes",
                serde_json::json!(6_u64 << 30),
                "scenario.objects.size_bytes",
            ),
            (
                "/objects/bucket",
                serde_json::json!("Bad Name"),
                "scenario.objects.bucket",
            ),
            ("/operations", serde_json::json!([]), "scenario.operations"),
            (
                "/operations/0/weight",
                serde_json::json!(0),
                "scenario.operations.0.weight",
            ),
            (
                "/operations/0/status",
                serde_json::json!(100),
                "scenario.operations.0.status",
            ),
            (
                "/operations/1/name",
                serde_json::json!("get"),
                "scenario.operations.1.length_bytes",
            ),
            (
                "/operations/1/length_bytes",
                serde_json::json!(101),
                "scenario.operations.1.length_bytes",
            ),
        ];
        let good: Scenario = serde_json::from_value(valid()).unwrap();
        good.validate().unwrap();
        for (pointer, value, place) in cases {
            let mut json = valid();
            *json.pointer_mut(pointer).unwrap() = value;
            let scenario: Scenario = serde_json::from_value(json).unwrap();
            assert_eq!(scenario.validate().unwrap_err().place, place);
        }
    }

    #[test]
    fn zipf_needs_an_exponent_and_uniform_refuses_one() {
        for (popularity, exponent, good) in [
            ("zipf", Some(1.1), true),
            ("zipf", None, false),
            ("zipf", Some(0.0), false),
            ("uniform", None, true),
            ("uniform", Some(1.0), false),
        ] {
            let mut json = valid();
            json["objects"]["popularity"] = popularity.into();
            json["objects"]["exponent"] = exponent.into();
            let scenario: Scenario = serde_json::from_value(json).unwrap();
            assert_eq!(
                scenario.validate().is_ok(),
                good,
                "{popularity} {exponent:?}"
            );
        }
    }
}
