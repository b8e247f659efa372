//! A scenario's objects: how many, how large, under which keys, how popular, and which of them are
//! there before a run.

use crate::fault::Fault;
use crate::key::Key;
use crate::scenario::{within, wrong, BODY_BYTES_MAX};
use crate::size::{Size, Sizes};
use serde::Deserialize;

const OBJECTS_MAX: u64 = 10_000_000_000;
const PARALLEL_MAX: u64 = 60_000;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    pub bucket: String,
    pub count: u64,
    /// Of all; or their distribution in `size`.
    pub size_bytes: Option<u64>,
    pub size: Option<Size>,
    pub key: String,
    /// How many neighbours share what `{group}` stands for in keys and prefixes.
    pub group: Option<u64>,
    /// So many more, after the others, come and go.
    #[serde(default)]
    pub churn: u64,
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

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preload {
    /// The first so many objects are there before a run, and only they are read; all when absent.
    pub count: Option<u64>,
    /// Connections that put at a time; the plan's when absent.
    pub parallel: Option<u32>,
}

impl Objects {
    pub(crate) fn validate(&self) -> Result<(), Fault> {
        within("objects.count", self.count, 1, OBJECTS_MAX)?;
        self.validate_size()?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if !(3..=63).contains(&self.bucket.len()) || !self.bucket.chars().all(plain) {
            let expected = "3 to 63 of a-z, 0-9, '-' and '.'";
            let what = "bad bucket name";
            return Err(wrong("objects.bucket", what, expected, &self.bucket));
        }
        let key = Key::of_object(self)?;
        match self.group {
            Some(group) if key.has_group() => within("objects.group", group, 1, OBJECTS_MAX)?,
            Some(group) => {
                let expected = "it only with {group} in objects.key";
                return Err(wrong("objects.group", "no use for it", expected, group));
            }
            None => {}
        }
        if self.churn > 0 {
            within("objects.churn", self.churn, 2, OBJECTS_MAX)?;
        }
        self.validate_popularity()
    }

    fn validate_size(&self) -> Result<(), Fault> {
        match (self.size_bytes, &self.size) {
            (Some(bytes), None) => within("objects.size_bytes", bytes, 1, BODY_BYTES_MAX),
            (None, Some(size)) => size.validate(),
            (bytes, _) => {
                let found = if bytes.is_some() { "both" } else { "none" };
                let expected = "either size_bytes or [objects.size]";
                Err(wrong("objects.size_bytes", "no one size", expected, found))
            }
        }
    }

    fn validate_popularity(&self) -> Result<(), Fault> {
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
                let what = "bad exponent of zipf";
                Err(wrong("objects.exponent", what, expected, found))
            }
        }
    }

    /// The size of each.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        match &self.size {
            Some(size) => Sizes::new(size),
            None => Sizes::Fixed(self.size_bytes.unwrap_or(0)),
        }
    }

    /// The largest size that one can have.
    #[must_use]
    pub fn largest(&self) -> u64 {
        let size = self.size.as_ref();
        size.map_or(self.size_bytes.unwrap_or(0), Size::largest)
    }
}

impl Preload {
    pub(crate) fn validate(&self, count: u64, reads: bool) -> Result<(), Fault> {
        if let Some(found) = self.count {
            within("preload.count", found, u64::from(reads), count)?;
        }
        let parallel = u64::from(self.parallel.unwrap_or(1));
        within("preload.parallel", parallel, 1, PARALLEL_MAX)
    }
}
