//! Builds answers, their headers in the contract's order.

use std::time::SystemTime;

use bumpalo::Bump;
use hyper::body::Bytes;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, SERVER,
};
use hyper::http::Extensions;
use hyper::{Response, StatusCode};

use super::failure::Failure;
use super::target::Target;
use super::xml::Xml;
use crate::content::Sending;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

/// The longest answer has this many headers, metadata aside: one allocation for them all.
const HEADERS_USUAL: usize = 12;

/// An answer whose Content-Length is that of the body; headers are added before `finish`.
pub fn with_body(status: u16, body: Sending) -> Response<Sending> {
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(body);
    *response.status_mut() = status_code(status);
    response.headers_mut().reserve(2);
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

/// An answer of no bytes, which its Content-Length says.
pub fn empty(status: u16) -> Response<Sending> {
    with_body(status, Bytes::new().into())
}

/// An answer that has no Content-Length either (204, 304).
pub fn bodyless(status: u16) -> Response<Sending> {
    let mut response = Response::new(Bytes::new().into());
    *response.status_mut() = status_code(status);
    response
}

pub fn xml(status: u16, body: Bytes) -> Response<Sending> {
    let mut response = with_body(status, body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The answer to a failure. Its arena is its own: failures are rare, and the request's may be lent.
pub fn failure(
    failed: &Failure,
    target: Option<&Target<'_>>,
    request_id: u64,
) -> Response<Sending> {
    let arena = Bump::new();
    let (bucket, key) = target.map_or(("", ""), |target| (target.bucket, target.key));
    let slash = if key.is_empty() { "" } else { "/" };
    let mut text = Xml::new("Error", "", &arena);
    text.element("Code", failed.code);
    text.element("Message", failed.message);
    text.element("Resource", &format!("/{bucket}{slash}{key}"));
    text.element("RequestId", &format!("{request_id:016X}"));
    let mut response = xml(failed.status, text.finish("Error"));
    if failed.closing {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Puts the headers that every answer carries before the operation's own, and the length last.
pub fn finish(
    mut response: Response<Sending>,
    date: HeaderValue,
    request_id: u64,
    header_case: &Extensions,
) -> Response<Sending> {
    let mut headers = HeaderMap::with_capacity(HEADERS_USUAL);
    headers.insert(DATE, date);
    headers.insert(SERVER, HeaderValue::from_static("pausemark"));
    headers.insert(REQUEST_ID, upper_hex(request_id));
    let mut length = None;
    for (name, value) in std::mem::take(response.headers_mut()) {
        // Every header here has one value, so every value comes with its name.
        match name {
            Some(CONTENT_LENGTH) => length = Some(value),
            Some(name) => drop(headers.insert(name, value)),
            None => {}
        }
    }
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, length);
    }
    *response.headers_mut() = headers;
    *response.extensions_mut() = header_case.clone();
    response
}

fn upper_hex(number: u64) -> HeaderValue {
    let bytes = number.to_be_bytes();
    let digits: [u8; 16] = std::array::from_fn(|at| {
        let half = bytes[at / 2] >> (if at % 2 == 0 { 4 } else { 0 });
        b"0123456789ABCDEF"[usize::from(half & 15)]
    });
    header_value(&digits)
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

pub fn date_value(time: SystemTime) -> HeaderValue {
    header_value(httpdate::fmt_http_date(time).as_bytes())
}
