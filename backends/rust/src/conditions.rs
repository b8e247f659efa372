//! What a write asks of the object that it would replace, and the lists of entity tags for that.

use crate::object::Object;
use crate::store::StoreError;

/// Lists of tags as they came; `None` where nothing is asked.
#[derive(Debug, Default)]
pub struct Conditions {
    pub matching: Option<Box<str>>,
    pub none_match: Option<Box<str>>,
}

impl Conditions {
    /// Whether the write is made whatever is there.
    pub fn is_empty(&self) -> bool {
        self.matching.is_none() && self.none_match.is_none()
    }

    /// Why they do not hold for what is there.
    pub fn refuse(&self, there: Option<&Object>) -> Option<StoreError> {
        let names = |list: &Option<Box<str>>, object: &Object| {
            list.as_ref().map(|list| names(list, object.etag.as_bytes()))
        };
        let Some(object) = there else {
            return self.matching.as_ref().map(|_| StoreError::NoKey);
        };
        let fails = names(&self.matching, object) == Some(false)
            || names(&self.none_match, object) == Some(true);
        fails.then_some(StoreError::Precondition)
    }
}

/// Whether a list names this tag; tags without quotes count too, as they do in S3.
pub fn names(list: &str, etag: &[u8]) -> bool {
    let own = unquoted(std::str::from_utf8(etag).unwrap_or(""));
    list.split(',').any(|tag| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || unquoted(tag) == own
    })
}

fn unquoted(tag: &str) -> &str {
    tag.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_tags_with_or_without_quotes() {
        for (list, is_named) in [
            ("*", true),
            ("\"a\"", true),
            ("a", true),
            ("\"b\", W/\"a\"", true),
            ("\"b\"", false),
            ("", false),
        ] {
            assert_eq!(names(list, b"\"a\""), is_named, "{list}");
        }
    }

    #[test]
    fn where_there_is_nothing_only_a_match_fails() {
        let list = |text: &str| Some(text.into());
        let matching = Conditions { matching: list("*"), none_match: list("*") };
        assert_eq!(matching.refuse(None), Some(StoreError::NoKey));
        let none_match = Conditions { matching: None, none_match: list("*") };
        assert_eq!(none_match.refuse(None), None);
        assert!(Conditions::default().is_empty() && !none_match.is_empty());
    }
}
