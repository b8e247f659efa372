//! What an operation answers, as data, which each stack writes in its own way.

use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

use bumpalo::Bump;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED,
    LOCATION,
};

use super::checksum::{self, Checksums};
use super::failure::Failure;
use super::overrides::Overrides;
use super::xml::Xml;
use crate::store::Object;

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
    StoredPart(HeaderValue, Checksums),
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
    /// A value that is kept somewhere.
    fn kept(&mut self, name: &HeaderName, value: &HeaderValue);
    /// A value that was made for this answer.
    fn made(&mut self, name: &HeaderName, value: &[u8]);
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
            Content::Bucket(location) => to.made(&LOCATION, location.as_bytes()),
            Content::Document(_) => to.made(&CONTENT_TYPE, b"application/xml"),
            Content::Unchanged(object) => tell_tags(object, to),
            Content::Object(part) => part.tell(to),
            Content::Stored(object) => {
                to.kept(&ETAG, &object.etag);
                let kept = object.kept.iter().filter(|(name, _)| checksum::is_checksum(name));
                kept.for_each(|(name, value)| to.kept(name, value));
            }
            Content::StoredPart(etag, checksums) => {
                to.kept(&ETAG, etag);
                checksums.headers().for_each(|(name, value)| to.kept(&name, &value));
            }
        }
    }
}

fn tell_tags(object: &Object, to: &mut impl Headers) {
    to.kept(&ETAG, &object.etag);
    to.kept(&LAST_MODIFIED, &object.last_modified);
}

impl Part {
    fn tell(&self, to: &mut impl Headers) {
        let object = &*self.object;
        tell_tags(object, to);
        to.made(&ACCEPT_RANGES, b"bytes");
        match &self.overrides {
            Some(overrides) => overrides.tell(object, to),
            None => to.kept(&CONTENT_TYPE, &object.content_type),
        }
        for (name, value) in &object.kept {
            let is_told = self.overrides.is_some() && Overrides::covers(name);
            if !is_told && (self.tells_checksums || !checksum::is_checksum(name)) {
                to.kept(name, value);
            }
        }
        if self.is_range {
            let mut text = [0; CONTENT_RANGE_BYTES_MAX];
            let mut room = &mut text[..];
            let (first, size) = (self.first, object.body.len());
            // There is room: see the constant.
            let _ = write!(room, "bytes {first}-{}/{size}", first + self.bytes - 1);
            let left = room.len();
            to.made(&CONTENT_RANGE, &text[..CONTENT_RANGE_BYTES_MAX - left]);
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

/// The quoted hex of an MD5.
pub fn etag(md5: [u8; 16]) -> HeaderValue {
    let mut text = [b'"'; 34];
    for (place, byte) in text[1..33].chunks_exact_mut(2).zip(md5) {
        let digit = |half: u8| b"0123456789abcdef"[usize::from(half & 15)];
        place.copy_from_slice(&[digit(byte >> 4), digit(byte)]);
    }
    header_value(&text)
}

/// The entity tag of an object: of its content, or of so many parts.
pub fn etag_of(md5: [u8; 16], parts: u16) -> HeaderValue {
    let plain = etag(md5);
    if parts == 0 {
        return plain;
    }
    let hex = plain.to_str().unwrap_or("").trim_matches('"');
    header_value(format!("\"{hex}-{parts}\"").as_bytes())
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
