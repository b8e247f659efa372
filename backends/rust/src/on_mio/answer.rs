//! Answers as bytes in the thread's output, their headers in the contract's order.

use std::io::Write;

use super::call::Call;
use super::desk::Desk;
use super::sending::Source;
use crate::s3::{self, Answer, Content, Failure, Headers, Outcome};

/// Larger content is sent from where it lies; smaller leaves with the answers beside it.
const INLINE_BYTES_MAX: usize = 32 << 10;

/// Takes headers straight to the output.
struct Lines<'a>(&'a mut Vec<u8>);

impl Headers for Lines<'_> {
    fn add(&mut self, name: &str, value: &[u8]) {
        for part in [spelt(name).as_bytes(), b": ", value, b"\r\n"] {
            self.0.extend_from_slice(part);
        }
    }
}

/// A name as the contract writes it: others than these are in lower case there too.
fn spelt(name: &str) -> &str {
    match name {
        "accept-ranges" => "Accept-Ranges",
        "cache-control" => "Cache-Control",
        "content-disposition" => "Content-Disposition",
        "content-encoding" => "Content-Encoding",
        "content-language" => "Content-Language",
        "content-range" => "Content-Range",
        "content-type" => "Content-Type",
        "etag" => "ETag",
        "expires" => "Expires",
        "last-modified" => "Last-Modified",
        "location" => "Location",
        other => other,
    }
}

/// Writes the answer to a request, but for content that is large.
pub fn write(desk: &mut Desk, call: &mut Call, outcome: Outcome) {
    let request_id = desk.rules.request_id();
    let answer = outcome.unwrap_or_else(|failed: &Failure| {
        call.is_closing |= failed.closing;
        s3::failure_answer(failed, call.asked.path(), request_id)
    });
    write_head(desk, &answer, request_id, call.is_closing);
    if !call.is_head_only {
        call.source = write_content(&mut desk.output, answer.content);
    }
}

fn write_head(desk: &mut Desk, answer: &Answer, request_id: u64, is_closing: bool) {
    let out = &mut desk.output;
    for part in [
        status_line(answer.status),
        b"Date: ",
        &desk.date,
        b"\r\nServer: pausemark\r\nx-amz-request-id: ",
        &s3::upper_hex(request_id),
        b"\r\n",
    ] {
        out.extend_from_slice(part);
    }
    answer.tell(&mut Lines(out));
    if let Some(length) = answer.length() {
        // Writing to a buffer in memory cannot fail.
        let _ = write!(out, "Content-Length: {length}\r\n");
    }
    if is_closing {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Copies content that is small behind its head; the rest is to be sent.
fn write_content(out: &mut Vec<u8>, content: Content) -> Option<Source> {
    let mut source = match content {
        Content::Document(document) => Source::of_document(document),
        Content::Object(part) => Source::of_object(part),
        _ => return None,
    };
    if source.left() > INLINE_BYTES_MAX {
        return Some(source);
    }
    while source.left() > 0 {
        let piece = source.piece();
        out.extend_from_slice(piece);
        let gone = piece.len();
        source.advance(gone);
    }
    None
}

fn status_line(status: u16) -> &'static [u8] {
    match status {
        200 => b"HTTP/1.1 200 OK\r\n",
        204 => b"HTTP/1.1 204 No Content\r\n",
        206 => b"HTTP/1.1 206 Partial Content\r\n",
        304 => b"HTTP/1.1 304 Not Modified\r\n",
        400 => b"HTTP/1.1 400 Bad Request\r\n",
        403 => b"HTTP/1.1 403 Forbidden\r\n",
        404 => b"HTTP/1.1 404 Not Found\r\n",
        405 => b"HTTP/1.1 405 Method Not Allowed\r\n",
        409 => b"HTTP/1.1 409 Conflict\r\n",
        411 => b"HTTP/1.1 411 Length Required\r\n",
        412 => b"HTTP/1.1 412 Precondition Failed\r\n",
        416 => b"HTTP/1.1 416 Range Not Satisfiable\r\n",
        431 => b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
        501 => b"HTTP/1.1 501 Not Implemented\r\n",
        503 => b"HTTP/1.1 503 Service Unavailable\r\n",
        _ => b"HTTP/1.1 500 Internal Server Error\r\n",
    }
}
