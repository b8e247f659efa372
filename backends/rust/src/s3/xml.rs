//! Writes XML into the arena.

use std::fmt::Write;

use bumpalo::Bump;
use bumpalo::collections::String;
use hyper::body::Bytes;

const HEADER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
pub const NAMESPACE: &str = r#" xmlns="http://s3.amazonaws.com/doc/2006-03-01/""#;

/// A document that is written from its start.
pub struct Xml<'a> {
    text: String<'a>,
}

impl<'a> Xml<'a> {
    /// Begins a document; `attributes` is "" or begins with a space.
    pub fn new(root: &str, attributes: &str, arena: &'a Bump) -> Self {
        let mut text = String::with_capacity_in(512, arena);
        for part in [HEADER, "<", root, attributes, ">"] {
            text.push_str(part);
        }
        Self { text }
    }

    /// A document that is only its root, written with `/>`.
    pub fn empty(root: &str, attributes: &str, arena: &'a Bump) -> Bytes {
        let mut text = String::with_capacity_in(512, arena);
        for part in [HEADER, "<", root, attributes, "/>"] {
            text.push_str(part);
        }
        Bytes::copy_from_slice(text.as_bytes())
    }

    /// Where it is written.
    pub fn arena(&self) -> &'a Bump {
        self.text.bump()
    }

    pub fn start(&mut self, name: &str) {
        self.tag("<", name);
    }

    pub fn end(&mut self, name: &str) {
        self.tag("</", name);
    }

    fn tag(&mut self, opening: &str, name: &str) {
        self.text.push_str(opening);
        self.text.push_str(name);
        self.text.push('>');
    }

    pub fn element(&mut self, name: &str, value: &str) {
        self.start(name);
        self.escape(value);
        self.end(name);
    }

    /// Who owns everything here.
    pub fn owner(&mut self) {
        self.start("Owner");
        self.element("ID", "pausemark");
        self.element("DisplayName", "pausemark");
        self.end("Owner");
    }

    /// Who began an upload and will own its object, and how that is stored.
    pub fn keeper(&mut self) {
        self.start("Initiator");
        self.element("ID", "pausemark");
        self.element("DisplayName", "pausemark");
        self.end("Initiator");
        self.owner();
        self.element("StorageClass", "STANDARD");
    }

    /// Writes characters that XML reserves by name, and those that it cannot hold by number.
    fn escape(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\'' => self.text.push_str("&apos;"),
                '\r' => self.text.push_str("&#13;"),
                '\t' | '\n' => self.text.push(character),
                '\0'..' ' => {
                    // Writing to a string in memory cannot fail.
                    let _ = write!(self.text, "&#x{:02x};", character as u32);
                }
                other => self.text.push(other),
            }
        }
    }

    /// Ends the root and copies the document out of the arena, once.
    pub fn finish(mut self, root: &str) -> Bytes {
        self.end(root);
        Bytes::copy_from_slice(self.text.as_bytes())
    }
}

/// `encoding-type=url`: everything but the unreserved characters and `/`.
pub fn encode_url<'a>(value: &str, arena: &'a Bump) -> &'a str {
    percent_encode(value, "/", arena)
}

/// Everything but the unreserved characters and `kept`.
pub fn percent_encode<'a>(value: &str, kept: &str, arena: &'a Bump) -> &'a str {
    let mut encoded = String::with_capacity_in(value.len(), arena);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric()
            || b"-_.~".contains(&byte)
            || kept.as_bytes().contains(&byte)
        {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string in memory cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded.into_bump_str()
}
