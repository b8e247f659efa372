//! Multipart uploads: which operation is asked for, and those on an upload that stays open.

use std::time::SystemTime;

use hyper::Method;
use md5::{Digest, Md5};

use super::failure::{self, Failure};
use super::xml::{NAMESPACE, Xml};
use super::{Answer, Exchange, body, complete, copy, get, list_uploads, put, reply};
use crate::store::Bucket;
use crate::uploads::{PART_NUMBER_MAX, Part, Upload, UploadError, UploadId};

/// What a request on a key wants of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Begin,
    Part,
    Complete,
    Abort,
    ListParts,
}

impl Operation {
    /// `None` for requests that are none of these.
    pub fn of(exchange: &Exchange<'_>) -> Option<Self> {
        let target = exchange.target;
        let only = |names: &[&str]| target.has(names[0]) && target.query_only(names);
        match *exchange.request.method() {
            Method::POST if only(&["uploads"]) => Some(Self::Begin),
            Method::PUT if target.has("uploadId") && only(&["partNumber", "uploadId"]) => {
                Some(Self::Part)
            }
            Method::POST if only(&["uploadId"]) => Some(Self::Complete),
            Method::DELETE if only(&["uploadId"]) => Some(Self::Abort),
            Method::GET if only(&["uploadId", "max-parts", "part-number-marker"]) => {
                Some(Self::ListParts)
            }
            _ => None,
        }
    }

    pub async fn answer(self, exchange: Exchange<'_>) -> Answer {
        match self {
            Self::Begin => begin(exchange).await,
            Self::Part if copy::is_asked(&exchange) => copied_part(exchange).await,
            Self::Part => part(exchange).await,
            Self::Complete => complete::upload(exchange).await,
            Self::Abort => {
                let bucket = exchange.bucket()?;
                let id = open_id(&exchange, &bucket)?;
                let store = &exchange.worker.shared.store;
                let aborted = bucket.uploads.abort(store, exchange.target.key, id);
                aborted.map_err(of_upload)?;
                Ok(reply::bodyless(204))
            }
            Self::ListParts => list_uploads::parts(&exchange),
        }
    }
}

/// The upload that the target names, which is open.
pub fn open_id(exchange: &Exchange<'_>, bucket: &Bucket) -> Result<UploadId, &'static Failure> {
    let target = exchange.target;
    let id = target.get("uploadId").and_then(UploadId::parse);
    let open = id.filter(|id| bucket.uploads.is_open(target.key, *id));
    open.ok_or(&failure::NO_SUCH_UPLOAD)
}

pub fn of_upload(error: UploadError) -> &'static Failure {
    match error {
        UploadError::NoBucket => &failure::NO_SUCH_BUCKET,
        UploadError::NoUpload => &failure::NO_SUCH_UPLOAD,
        UploadError::TooMany => &failure::SLOW_DOWN,
        UploadError::InvalidPart => &failure::INVALID_PART,
        UploadError::TooSmall => &failure::ENTITY_TOO_SMALL,
        UploadError::TooLarge => &failure::SUM_TOO_LARGE,
    }
}

async fn begin(mut exchange: Exchange<'_>) -> Answer {
    let headers = exchange.request.headers();
    let upload = Upload::new(put::content_type(headers), put::kept_headers(headers)?);
    let bucket = exchange.bucket()?;
    body::discard(&mut exchange.request, &exchange.worker.shared).await?;
    let key = exchange.target.key;
    let begun = bucket.uploads.begin(&exchange.worker.shared.store, key, upload);
    let id = begun.map_err(of_upload)?;
    let mut text = Xml::new("InitiateMultipartUploadResult", NAMESPACE, exchange.arena);
    text.element("Bucket", &bucket.name);
    text.element("Key", key);
    text.element("UploadId", &id.to_string());
    Ok(reply::xml(200, text.finish("InitiateMultipartUploadResult")))
}

fn part_number(exchange: &Exchange<'_>) -> Result<u16, &'static Failure> {
    let number = exchange.target.get("partNumber").and_then(get::number);
    let number = number.and_then(|number| u16::try_from(number).ok());
    let number = number.filter(|number| (1..=PART_NUMBER_MAX).contains(number));
    number.ok_or(&failure::INVALID_ARGUMENT)
}

async fn part(mut exchange: Exchange<'_>) -> Answer {
    let number = part_number(&exchange)?;
    let bucket = exchange.bucket()?;
    let id = open_id(&exchange, &bucket)?;
    let shared = &exchange.worker.shared;
    let payload = body::read(&mut exchange.request, shared).await?;
    let md5 = put::verify(&payload)?;
    let part = Part { body: payload.body, md5, modified: SystemTime::now() };
    let upload = (exchange.target.key, id);
    let kept = bucket.uploads.put_part(&shared.store, upload, number, part, payload.room);
    kept.map_err(of_upload)?;
    Ok(put::answer(reply::etag(md5), &payload.digests))
}

async fn copied_part(mut exchange: Exchange<'_>) -> Answer {
    let number = part_number(&exchange)?;
    let asked = copy::PartSource::read(&exchange)?;
    let bucket = exchange.bucket()?;
    let id = open_id(&exchange, &bucket)?;
    let (source, first, bytes) = asked.find(&exchange)?;
    let shared = &exchange.worker.shared;
    if bytes as u64 > shared.object_bytes_max {
        return Err(&failure::SUM_TOO_LARGE);
    }
    let room = shared.store.reserve(bytes as u64).ok_or(&failure::SLOW_DOWN)?;
    body::discard(&mut exchange.request, shared).await?;
    let body = source.body.copy(first, bytes);
    let (md5, modified) = (Md5::digest(&body).into(), SystemTime::now());
    let part = Part { body, md5, modified };
    let upload = (exchange.target.key, id);
    let kept = bucket.uploads.put_part(&shared.store, upload, number, part, room);
    kept.map_err(of_upload)?;
    let etag = reply::etag(md5);
    Ok(copy::answer(&exchange, "CopyPartResult", etag.to_str().unwrap_or(""), modified))
}
