//! The keys that may sign.

use std::collections::BTreeMap;
use std::fmt;

/// Secrets by id.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials(BTreeMap<String, String>);

impl Credentials {
    /// Takes `ID:SECRET`; false when it is not that.
    pub fn add(&mut self, text: &str) -> bool {
        let (id, secret) = text.split_once(':').unwrap_or_default();
        let is_good = !id.is_empty() && !secret.is_empty();
        if is_good {
            self.0.insert(id.to_owned(), secret.to_owned());
        }
        is_good
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn secret(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }
}

/// Secrets stay out of every message.
impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}
