//! PUT of an object: what is kept, and the digests that must match.

use std::sync::Arc;
use std::time::SystemTime;

use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_MATCH, IF_NONE_MATCH,
};
use md5::{Digest, Md5};

use super::body::{self, Digests, Payload};
use super::failure::{self, Failure};
use super::{Answer, Exchange, Reply, reply};
use crate::store::{Bucket, Object};

const METADATA_BYTES_MAX: usize = 2 << 10;
pub const METADATA_PREFIX: &str = "x-amz-meta-";

pub async fn object(mut exchange: Exchange<'_>, bucket: &Arc<Bucket>) -> Answer {
    let headers = exchange.request.headers();
    let only_if_absent = only_if_absent(headers)?;
    if only_if_absent && bucket.get(exchange.target.key).is_some() {
        return Err(&failure::PRECONDITION);
    }
    let content_type = content_type(headers);
    let mut kept = kept_headers(headers)?;
    let shared = &exchange.worker.shared;
    let payload = body::read(&mut exchange.request, shared).await?;
    let md5 = verify(&payload)?;
    payload.digests.checksums.keep(&mut kept);
    let etag = reply::etag(md5);
    let modified = SystemTime::now();
    let object = Object {
        body: payload.body.into(),
        parts: 0,
        md5,
        etag: etag.clone(),
        modified,
        last_modified: reply::date_value(modified),
        content_type,
        kept,
    };
    let key = exchange.target.key;
    exchange.worker.put(bucket, key, object, payload.room, only_if_absent).await?;
    Ok(answer(etag, &payload.digests))
}

/// What tells the client that an object or a part was taken.
pub fn answer(etag: HeaderValue, digests: &Digests) -> Reply {
    let mut response = reply::empty(200);
    response.headers_mut().insert(ETAG, etag);
    response.headers_mut().extend(digests.checksums.headers());
    response
}

/// The one condition of a write that this subset has.
pub fn only_if_absent(headers: &HeaderMap) -> Result<bool, &'static Failure> {
    let absent = headers.get(IF_NONE_MATCH).is_some_and(|value| value == "*");
    let conditional = headers.contains_key(IF_MATCH) || headers.contains_key(IF_NONE_MATCH);
    if conditional && !absent { Err(&failure::NOT_IMPLEMENTED) } else { Ok(absent) }
}

pub fn content_type(headers: &HeaderMap) -> HeaderValue {
    let default = || HeaderValue::from_static("binary/octet-stream");
    headers.get(CONTENT_TYPE).cloned().unwrap_or_else(default)
}

/// Compares the body with every digest that came with it; its MD5.
pub fn verify(payload: &Payload<'_>) -> Result<[u8; 16], &'static Failure> {
    let sum: [u8; 16] = Md5::digest(&payload.body).into();
    if payload.digests.md5.is_some_and(|announced| announced != sum) {
        return Err(&failure::BAD_DIGEST);
    }
    payload.digests.checksums.verify(&payload.body)?;
    Ok(sum)
}

/// What a GET will repeat, in the contract's order, the metadata by name.
pub fn kept_headers(
    headers: &HeaderMap,
) -> Result<Vec<(HeaderName, HeaderValue)>, &'static Failure> {
    let mut kept = Vec::new();
    if let Some(value) = headers.get(CACHE_CONTROL) {
        kept.push((CACHE_CONTROL, value.clone()));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        let codings = without_aws_chunked(headers);
        if !codings.is_empty() {
            kept.push((CONTENT_ENCODING, reply::header_value(codings.as_bytes())));
        }
    }
    let first = kept.len();
    let mut size = 0;
    for name in headers.keys().filter(|name| name.as_str().starts_with(METADATA_PREFIX)) {
        let values: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        let value = values.join(&b","[..]);
        size += name.as_str().len() - METADATA_PREFIX.len() + value.len();
        kept.push((name.clone(), reply::header_value(&value)));
    }
    if size > METADATA_BYTES_MAX {
        return Err(&failure::METADATA_TOO_LARGE);
    }
    kept[first..].sort_unstable_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
    Ok(kept)
}

fn without_aws_chunked(headers: &HeaderMap) -> String {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let codings: Vec<_> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    codings.join(",")
}
