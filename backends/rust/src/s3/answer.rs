//! What an operation answers, as data, which each stack writes in its own way.

use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

use bumpalo::Bump;
use hyper::body::Bytes;
use hyper::header::HeaderValue;

use super::checksum::Checksums;
use super::failure::Failure;
use super::overrides::Overrides;
use super::xml::Xml;
use crate::kept::{CONTENT_TYPE, is_checksum};
use crate::object::{ETag, Object};

const ETAG: &str = "etag";
/// Longer than `bytes ` and three numbers.
const CONTENT_RANGE_BYTES_MAX: usize = 72;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content: Content,
}

/// What is told, and so which headers tell of it.
#[derive(Debug)]
pub enum Content {
    /// No bytes, and no Content-Length that says so.
    Nothing,
    Empty,
    /// A bucket that is there now.
    Bucket(Box<str>),
    Document(Bytes),
    /// An object that the client has already.
    Unchanged(Arc<Object>),
    /// An object, or a range of it.
    Object(Part),
    /// An object that was stored.
    Stored(Arc<Object>),
    /// A part of an upload that was stored.
    StoredPart(ETag, Checksums),
}

#[derive(Debug)]
pub struct Part {
    pub object: Arc<Object>,
    pub first: usize,
    pub bytes: usize,
    pub is_range: bool,
    pub tells_checksums: bool,
    pub overrides: Option<Box<Overrides>>,
}

/// Takes an answer's own headers one after the other.
pub trait Headers {
    /// A name in lower case.
    fn add(&mut self, name: &str, value: &[u8]);

    /// Those that every answer with an object's bytes begins with.
    fn add_tags(&mut self, object: &Object) {
        tell_tags(object, self);
        self.add("accept-ranges", b"bytes");
    }

    /// Those that an object keeps, as far as they are told.
    fn add_kept(&mut self, object: &Object, is_told: impl Fn(&str) -> bool) {
        for (name, value) in object.kept.iter().filter(|(name, _)| is_told(name)) {
            self.add(name, value);
        }
    }
}

impl Answer {
    pub fn new(status: u16, content: Content) -> Self {
        Self { status, content }
    }

    pub fn xml(document: Bytes) -> Self {
        Self::new(200, Content::Document(document))
    }

    pub fn length(&self) -> Option<usize> {
        match &self.content {
            Content::Nothing | Content::Unchanged(_) => None,
            Content::Empty
            | Content::Bucket(_)
            | Content::Stored(_)
            | Content::StoredPart(_, _) => Some(0),
            Content::Document(document) => Some(document.len()),
            Content::Object(part) => Some(part.bytes),
        }
    }

    /// The operation's own headers, without the length.
    pub fn tell(&self, to: &mut impl Headers) {
        match &self.content {
            Content::Nothing | Content::Empty => {}
            Content::Bucket(location) => to.add("location", location.as_bytes()),
            Content::Document(_) => to.add(CONTENT_TYPE, b"application/xml"),
            Content::Unchanged(object) => tell_tags(object, to),
            Content::Object(part) => part.tell(to),
            Content::Stored(object) => {
                to.add(ETAG, object.etag.as_bytes());
                object.kept.checksums().for_each(|(name, value)| to.add(name, value));
            }
            Content::StoredPart(etag, checksums) => {
                to.add(ETAG, etag.as_bytes());
                checksums.headers().for_each(|(name, value)| to.add(name, value));
            }
        }
    }
}

fn tell_tags(object: &Object, to: &mut (impl Headers + ?Sized)) {
    to.add(ETAG, object.etag.as_bytes());
    to.add("last-modified", &object.last_modified);
}

impl Part {
    fn tell(&self, to: &mut impl Headers) {
        let object = &*self.object;
        to.add_tags(object);
        if let Some(overrides) = &self.overrides {
            overrides.tell(object, to);
        }
        to.add_kept(object, |name| {
            let is_overridden = self.overrides.is_some() && Overrides::covers(name);
            !is_overridden && (self.tells_checksums || !is_checksum(name))
        });
        if self.is_range {
            let mut text = [0; CONTENT_RANGE_BYTES_MAX];
            let mut room = &mut text[..];
            let (first, size) = (self.first, object.body.len());
            // There is room: see the constant.
            let _ = write!(room, "bytes {first}-{}/{size}", first + self.bytes - 1);
            let left = room.len();
            to.add("content-range", &text[..CONTENT_RANGE_BYTES_MAX - left]);
        }
    }
}

/// The answer to a failure. Its arena is its own: failures are rare, and the request's may be lent.
pub fn failure(failed: &Failure, path: &[u8], request_id: u64) -> Answer {
    let arena = Bump::new();
    let mut text = Xml::new("Error", "", &arena);
    text.element("Code", failed.code);
    text.element("Message", failed.message);
    text.element("Resource", &String::from_utf8_lossy(path));
    text.element("RequestId", &String::from_utf8_lossy(&upper_hex(request_id)));
    Answer::new(failed.status, Content::Document(text.finish("Error")))
}

pub fn upper_hex(number: u64) -> [u8; 16] {
    let bytes = number.to_be_bytes();
    std::array::from_fn(|at| {
        let half = bytes[at / 2] >> (if at % 2 == 0 { 4 } else { 0 });
        b"0123456789ABCDEF"[usize::from(half & 15)]
    })
}

/// A header value from text that this program made; empty if it could not stand in a header.
pub fn header_value(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Without a detour over the heap: `Display` writes the 29 bytes of an IMF-fixdate.
pub fn http_date(time: SystemTime) -> [u8; 29] {
    let mut text = [b' '; 29];
    let _ = write!(&mut text[..], "{}", httpdate::HttpDate::from(time));
    text
}

pub fn date_value(time: SystemTime) -> HeaderValue {
    header_value(&http_date(time))
}
