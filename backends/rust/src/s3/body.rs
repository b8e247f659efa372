//! Reads a request's body: plain, chunked or aws-chunked, within its limits.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};

use super::Shared;
use super::auth::Proof;
use super::aws_chunked::AwsChunked;
use super::checksum::{Announced, Checksums};
use super::failure::{self, Failure};
use crate::store::Reservation;

/// The step in which a body of unknown length reserves room.
const GROW_BYTES: u64 = 64 << 10;

/// A body that came whole, what it must match, and the room it takes.
#[derive(Debug)]
pub struct Payload<'store> {
    pub body: Bytes,
    pub digests: Digests,
    pub room: Reservation<'store>,
}

/// What the client said of the body's content.
#[derive(Debug, Default)]
pub struct Digests {
    pub md5: Option<[u8; 16]>,
    pub checksums: Checksums,
}

#[derive(Debug)]
enum Coding {
    Plain,
    /// With what must come in the trailer.
    AwsChunked(Announced),
}

/// Judges the headers, reserves the room, and only then reads (which sends 100-continue).
pub async fn read<'store>(
    request: &mut Request<Incoming>,
    shared: &'store Shared,
) -> Result<Payload<'store>, &'static Failure> {
    let mut proof = request.extensions_mut().remove::<Proof>();
    let headers = request.headers();
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    if !chunked && !headers.contains_key(CONTENT_LENGTH) {
        return Err(&failure::MISSING_LENGTH);
    }
    let mut digests =
        Digests { md5: content_md5(headers)?, checksums: Checksums::of_headers(headers)? };
    let coding = coding(headers)?;
    let length = match coding {
        Coding::AwsChunked(_) => Some(decoded_length(headers)?),
        Coding::Plain if chunked => None,
        Coding::Plain => text(headers, CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok()),
    };
    if length.is_some_and(|length| length > shared.object_bytes_max) {
        return Err(&failure::ENTITY_TOO_LARGE);
    }
    let room = shared.store.reserve(length.unwrap_or(0)).ok_or(&failure::SLOW_DOWN)?;
    let incoming = request.body_mut();
    let (body, room) = match (coding, length) {
        (Coding::AwsChunked(announced), Some(length)) => {
            let chain = proof.as_mut().and_then(Proof::chain);
            let mut decoder = AwsChunked::new(length, announced, chain);
            while let Some(data) = next_data(incoming).await? {
                decoder.push(&data).ok_or(&failure::INCOMPLETE_BODY)?;
            }
            let (body, trailer) = decoder.finish()?;
            digests.checksums.extend(trailer);
            (body, room)
        }
        (Coding::Plain, Some(length)) => (read_known(incoming, length).await?, room),
        _ => read_unknown(incoming, room, shared.object_bytes_max).await?,
    };
    proof.map_or(Ok(()), |proof| proof.judge(&body))?;
    Ok(Payload { body, digests, room })
}

/// Reads what says nothing to the operation, but may have been signed; how many bytes it was.
pub async fn discard(
    request: &mut Request<Incoming>,
    shared: &Shared,
) -> Result<usize, &'static Failure> {
    if request.body().is_end_stream() {
        return Ok(0);
    }
    Ok(read(request, shared).await?.body.len())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn content_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, &'static Failure> {
    let Some(value) = headers.get("content-md5") else { return Ok(None) };
    let sum = STANDARD.decode(value.as_bytes()).ok();
    let sum = sum.and_then(|sum| <[u8; 16]>::try_from(sum).ok());
    sum.map(Some).ok_or(&failure::INVALID_DIGEST)
}

fn coding(headers: &HeaderMap) -> Result<Coding, &'static Failure> {
    match text(headers, "x-amz-content-sha256") {
        None | Some("UNSIGNED-PAYLOAD") => Ok(Coding::Plain),
        Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD") => Ok(Coding::AwsChunked(Announced::default())),
        Some(
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        ) => Ok(Coding::AwsChunked(Announced::of_headers(headers))),
        Some(kind) if kind.starts_with("STREAMING-") => Err(&failure::NOT_IMPLEMENTED),
        Some(hex) if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(Coding::Plain)
        }
        Some(_) => Err(&failure::INVALID_ARGUMENT),
    }
}

fn decoded_length(headers: &HeaderMap) -> Result<u64, &'static Failure> {
    let text = text(headers, "x-amz-decoded-content-length").ok_or(&failure::MISSING_LENGTH)?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let length = text.parse().ok().filter(|_| digits);
    length.ok_or(&failure::INVALID_ARGUMENT)
}

/// The next piece of data; trailers of HTTP's own are skipped.
async fn next_data(incoming: &mut Incoming) -> Result<Option<Bytes>, &'static Failure> {
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|_| &failure::INCOMPLETE_BODY)?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Copies into a buffer of exactly the body's size: a piece of hyper's read buffer would keep the
/// whole of it alive.
async fn read_known(incoming: &mut Incoming, length: u64) -> Result<Bytes, &'static Failure> {
    let capacity = usize::try_from(length).map_err(|_| &failure::ENTITY_TOO_LARGE)?;
    let mut body = Vec::with_capacity(capacity);
    while let Some(data) = next_data(incoming).await? {
        body.extend_from_slice(&data);
    }
    if body.len() != capacity {
        return Err(&failure::INCOMPLETE_BODY);
    }
    Ok(body.into())
}

async fn read_unknown<'store>(
    incoming: &mut Incoming,
    mut room: Reservation<'store>,
    bytes_max: u64,
) -> Result<(Bytes, Reservation<'store>), &'static Failure> {
    let mut body = BytesMut::new();
    while let Some(data) = next_data(incoming).await? {
        let size = (body.len() + data.len()) as u64;
        if size > bytes_max {
            return Err(&failure::ENTITY_TOO_LARGE);
        }
        if size > room.bytes() && !room.grow((size - room.bytes()).next_multiple_of(GROW_BYTES)) {
            return Err(&failure::SLOW_DOWN);
        }
        body.extend_from_slice(&data);
    }
    room.shrink_to(body.len() as u64);
    // Exact size: what is accounted is what is held.
    Ok((Bytes::copy_from_slice(&body), room))
}
