//! DELETE of an object, and POST ?delete: up to 1000 keys at once.

use super::answer::{Answer, Content};
use super::bucket::LIST_KEYS_MAX;
use super::change::{Pending, Write};
use super::failure::{self, Failure};
use super::upload::{Announcement, Limit};
use super::versions::ONLY_VERSION;
use super::xml::{NAMESPACE, Xml};
use super::{Exchange, Progress, Step, xml_read};

/// Holds 1000 keys of 1024 bytes, escaped, and their tags.
const DELETE_BYTES_MAX: u64 = 8 << 20;

pub fn one(exchange: &Exchange<'_>) -> Progress {
    let write = Write::Delete(exchange.bucket()?);
    Ok(Step::Change(Pending::new(write, Answer::new(204, Content::Nothing))))
}

pub fn many(exchange: &Exchange<'_>) -> Progress {
    let announced = Announcement::read(exchange.asked, Limit::of_document(DELETE_BYTES_MAX))?;
    let bucket = exchange.bucket()?;
    exchange.after_body(announced, move |exchange, payload| {
        // The list's room counts against the store only while the request lasts.
        let text = std::str::from_utf8(&payload.body).map_err(|_| &failure::MALFORMED_XML)?;
        let request = DeleteRequest::parse(text)?;
        let mut answer = Xml::new("DeleteResult", NAMESPACE, exchange.arena);
        let named = request.keys.iter().zip(&request.name_version);
        for (key, names_version) in named.filter(|_| !request.quiet) {
            answer.start("Deleted");
            answer.element("Key", key);
            if *names_version {
                answer.element("VersionId", ONLY_VERSION);
            }
            answer.end("Deleted");
        }
        let answer = Answer::xml(answer.finish("DeleteResult"));
        Ok(Step::Change(Pending::new(Write::DeleteMany(bucket, request.keys), answer)))
    })
}

#[derive(Debug, Default, PartialEq, Eq)]
struct DeleteRequest {
    quiet: bool,
    keys: Vec<String>,
    /// For each key: its version was named, so the answer names it too.
    name_version: Vec<bool>,
    key: Option<String>,
    names_version: bool,
    asks_for_more: bool,
}

impl DeleteRequest {
    fn parse(text: &str) -> Result<Self, &'static Failure> {
        let mut request = Self::default();
        xml_read::read(text, |path, value| request.end_element(path, value))?;
        let known = (1..=LIST_KEYS_MAX).contains(&request.keys.len());
        match request {
            _ if !known => Err(&failure::MALFORMED_XML),
            Self { asks_for_more: true, .. } => Err(&failure::NOT_IMPLEMENTED),
            request => Ok(request),
        }
    }

    fn end_element(&mut self, path: &[&[u8]], value: &str) -> Result<(), &'static Failure> {
        match *path {
            [b"Delete", b"Object", b"Key"] if !value.is_empty() => {
                self.key = Some(value.to_owned());
            }
            [b"Delete", b"Object", b"VersionId"] if value == ONLY_VERSION => {
                self.names_version = true;
            }
            // Another version, or a condition: passed over, it would delete what it protects.
            [b"Delete", b"Object", b"VersionId" | b"ETag" | b"LastModifiedTime" | b"Size"] => {
                self.asks_for_more = true;
            }
            [b"Delete", b"Object"] => {
                self.keys.push(self.key.take().ok_or(&failure::MALFORMED_XML)?);
                self.name_version.push(std::mem::take(&mut self.names_version));
            }
            [b"Delete", b"Quiet"] => self.quiet = ["true", "1"].contains(&value.trim()),
            [b"Delete"] | [b"Delete", _, ..] => {}
            _ => return Err(&failure::MALFORMED_XML),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unescaped_and_namespaces_ignored() {
        let text = r#"<?xml version="1.0"?><Delete xmlns="x"><Quiet>true</Quiet>
            <Object><Key>a&amp;&#32;b</Key></Object>
            <Object><Key><![CDATA[<]]></Key></Object></Delete>
        "#;
        let request = DeleteRequest::parse(text).unwrap();
        assert!(request.quiet);
        assert_eq!(request.keys, ["a& b", "<"]);
    }

    #[test]
    fn what_is_not_a_list_of_keys_is_malformed() {
        for text in [
            "",
            "x",
            "<Delete/>",
            "<Delete><Object/></Delete>",
            "<A><Object/></A>",
            "<Delete><Object><Key>a</Key></Object>",
            "<Delete><Object><Key>&no;</Key></Object></Delete>",
        ] {
            assert_eq!(DeleteRequest::parse(text), Err(&failure::MALFORMED_XML), "{text}");
        }
    }
}
