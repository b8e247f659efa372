//! The stubs for clients that ask for versions: each object is its only one, named `null`.

use super::answer::Answer;
use super::bucket::{LIST_KEYS_MAX, encoding, iso_time, page_limit, text_of, write_page};
use super::failure::Failure;
use super::xml::{NAMESPACE, Xml};
use super::{Exchange, Outcome};
use crate::object::Object;
use crate::store::{ListQuery, Page};

pub const ONLY_VERSION: &str = "null";

/// GET ?versioning, which nobody has configured.
pub fn configuration(exchange: &Exchange<'_>) -> Outcome {
    exchange.bucket()?;
    Ok(Answer::xml(Xml::empty("VersioningConfiguration", NAMESPACE, exchange.arena)))
}

/// GET ?versions.
pub fn list(exchange: &Exchange<'_>) -> Outcome {
    let listing = Listing::read(exchange)?;
    let bucket = exchange.bucket()?;
    let page = bucket.list(&listing.query);
    Ok(Answer::xml(listing.write(&page).finish("ListVersionsResult")))
}

struct Listing<'a> {
    exchange: &'a Exchange<'a>,
    query: ListQuery<'a>,
    url: bool,
}

impl<'a> Listing<'a> {
    fn read(exchange: &'a Exchange<'a>) -> Result<Self, &'static Failure> {
        let asked = exchange.asked;
        let parameter = |name| asked.get(name).unwrap_or("");
        // A key has one version: to begin behind it, or behind its key, is the same.
        let query = ListQuery {
            prefix: parameter("prefix"),
            delimiter: parameter("delimiter"),
            after: parameter("key-marker"),
            max: page_limit(asked, "max-keys", LIST_KEYS_MAX)?,
        };
        Ok(Self { exchange, query, url: encoding(asked)? })
    }

    fn text<'t>(&self, value: &'t str) -> &'t str
    where
        'a: 't,
    {
        text_of(value, self.url, self.exchange.arena)
    }

    fn write(&self, page: &Page) -> Xml<'a> {
        let mut text = Xml::new("ListVersionsResult", NAMESPACE, self.exchange.arena);
        let asked = self.exchange.asked;
        text.element("Name", asked.bucket());
        text.element("Prefix", self.text(self.query.prefix));
        text.element("KeyMarker", self.text(self.query.after));
        text.element("VersionIdMarker", asked.get("version-id-marker").unwrap_or(""));
        if let Some(last) = page.entries.last().filter(|_| page.truncated) {
            text.element("NextKeyMarker", self.text(&last.name));
            text.element("NextVersionIdMarker", ONLY_VERSION);
        }
        write_page(&mut text, &self.query, self.url, page, |text, key, object| {
            self.write_version(text, key, object);
        });
        text
    }

    fn write_version(&self, text: &mut Xml<'_>, key: &str, object: &Object) {
        text.start("Version");
        text.element("Key", self.text(key));
        text.element("VersionId", ONLY_VERSION);
        text.element("IsLatest", "true");
        text.element("LastModified", &iso_time(object.modified));
        text.element("ETag", object.etag.as_str());
        text.element("Size", &object.body.len().to_string());
        text.owner();
        text.element("StorageClass", "STANDARD");
        text.end("Version");
    }
}
