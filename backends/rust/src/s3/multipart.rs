//! Multipart uploads: which operation is asked for, and those on an upload that stays open.

use std::time::SystemTime;

use md5::{Digest, Md5};

use super::answer::{Answer, Content};
use super::asked::{Asked, Method};
use super::failure::{self, Failure};
use super::upload::{Announcement, Limit};
use super::xml::{NAMESPACE, Xml};
use super::{Exchange, Progress, complete, copy, get, list_uploads, put};
use crate::object::ETag;
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
    pub fn of(asked: &Asked) -> Option<Self> {
        let (begins, has_id) = (asked.has("uploads"), asked.has("uploadId"));
        match asked.method {
            Method::Post if begins && !has_id => Some(Self::Begin),
            Method::Put if has_id && asked.has("partNumber") => Some(Self::Part),
            Method::Post if has_id && !begins => Some(Self::Complete),
            Method::Delete if has_id => Some(Self::Abort),
            Method::Get if has_id => Some(Self::ListParts),
            _ => None,
        }
    }

    pub fn begin(self, exchange: &Exchange<'_>) -> Progress {
        match self {
            Self::Begin => begin(exchange),
            Self::Part if copy::is_asked(exchange.asked) => copied_part(exchange),
            Self::Part => part(exchange),
            Self::Complete => complete::upload(exchange),
            Self::Abort => {
                let bucket = exchange.bucket()?;
                let id = open_id(exchange, &bucket)?;
                let store = &exchange.rules.shared.store;
                let aborted = bucket.uploads.abort(store, exchange.asked.key(), id);
                aborted.map_err(of_upload)?;
                Ok(Answer::new(204, Content::Nothing).into())
            }
            Self::ListParts => list_uploads::parts(exchange).map(Into::into),
        }
    }
}

/// The upload that the target names, which is open.
pub fn open_id(exchange: &Exchange<'_>, bucket: &Bucket) -> Result<UploadId, &'static Failure> {
    let asked = exchange.asked;
    let id = asked.get("uploadId").and_then(UploadId::parse);
    let open = id.filter(|id| bucket.uploads.is_open(asked.key(), *id));
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

fn begin(exchange: &Exchange<'_>) -> Progress {
    let asked = exchange.asked;
    put::refuse_features(asked)?;
    let upload = Upload::new(put::kept_headers(asked)?);
    let announced = exchange.optional_body()?;
    let bucket = exchange.bucket()?;
    exchange.after_optional(announced, move |exchange| {
        let key = exchange.asked.key();
        let begun = bucket.uploads.begin(&exchange.rules.shared.store, key, upload);
        let id = begun.map_err(of_upload)?;
        let mut text = Xml::new("InitiateMultipartUploadResult", NAMESPACE, exchange.arena);
        text.element("Bucket", &bucket.name);
        text.element("Key", key);
        text.element("UploadId", &id.to_string());
        Ok(Answer::xml(text.finish("InitiateMultipartUploadResult")).into())
    })
}

fn part_number(exchange: &Exchange<'_>) -> Result<u16, &'static Failure> {
    let number = exchange.asked.get("partNumber").and_then(get::number);
    let number = number.and_then(|number| u16::try_from(number).ok());
    let number = number.filter(|number| (1..=PART_NUMBER_MAX).contains(number));
    number.ok_or(&failure::INVALID_ARGUMENT)
}

fn part(exchange: &Exchange<'_>) -> Progress {
    let asked = exchange.asked;
    let number = part_number(exchange)?;
    let announced = Announcement::read_digests(asked)?;
    put::refuse_features(asked)?;
    let announced = announced.with_length(asked, Limit::of_object(&exchange.rules.shared))?;
    let bucket = exchange.bucket()?;
    let id = open_id(exchange, &bucket)?;
    exchange.after_body(announced, move |exchange, payload| {
        let store = &exchange.rules.shared.store;
        let part = Part { body: payload.body, md5: payload.md5, modified: SystemTime::now() };
        let upload = (exchange.asked.key(), id);
        let kept = bucket.uploads.put_part(store, upload, number, part, payload.room);
        kept.map_err(of_upload)?;
        let content = Content::StoredPart(ETag::new(payload.md5, 0), payload.checksums);
        Ok(Answer::new(200, content).into())
    })
}

fn copied_part(exchange: &Exchange<'_>) -> Progress {
    let number = part_number(exchange)?;
    let asked = copy::PartSource::read(exchange.asked)?;
    let announced = exchange.optional_body()?;
    let bucket = exchange.bucket()?;
    let id = open_id(exchange, &bucket)?;
    let (source, first, bytes) = asked.find(exchange)?;
    let shared = &exchange.rules.shared;
    if bytes as u64 > shared.object_bytes_max {
        return Err(&failure::SUM_TOO_LARGE);
    }
    let room = shared.store.reserve(bytes as u64).ok_or(&failure::SLOW_DOWN)?;
    exchange.after_optional(announced, move |exchange| {
        let body = source.body.copy(first, bytes);
        let (md5, modified) = (Md5::digest(&body).into(), SystemTime::now());
        let part = Part { body, md5, modified };
        let (store, upload) = (&exchange.rules.shared.store, (exchange.asked.key(), id));
        let kept = bucket.uploads.put_part(store, upload, number, part, room);
        kept.map_err(of_upload)?;
        let etag = ETag::new(md5, 0);
        Ok(copy::answer(exchange, "CopyPartResult", &etag, modified).into())
    })
}
