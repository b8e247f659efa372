//! A request's body on its way, in any coding, within its limits, and judged at its end.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};

use super::asked::Asked;
use super::auth::Proof;
use super::aws_chunked::AwsChunked;
use super::checksum::{Announced, Checksums};
use super::failure::{self, Failure};
use super::{Exchange, Progress, Shared, put};
use crate::store::Reservation;

/// The step in which a body of unknown length reserves room.
const GROW_BYTES: u64 = 64 << 10;

/// A body that came whole and is what its headers said, and the room it takes.
#[derive(Debug)]
pub struct Payload {
    pub body: Bytes,
    pub md5: [u8; 16],
    pub checksums: Checksums,
    pub room: Reservation,
}

/// What the head says of the body.
#[derive(Debug)]
pub struct Announcement {
    md5: Option<[u8; 16]>,
    checksums: Checksums,
    /// What must come in the trailer of a body that is aws-chunked.
    trailer: Option<Announced>,
    /// Of the content; `None` when nobody knows it before its end.
    length: Option<u64>,
    limit: Limit,
}

impl Announcement {
    /// Judges all of it.
    pub fn read(asked: &Asked, limit: Limit) -> Result<Self, &'static Failure> {
        Self::read_digests(asked)?.with_length(asked, limit)
    }

    /// Judges all but the lengths, which come after what else the operation reads.
    pub fn read_digests(asked: &Asked) -> Result<Self, &'static Failure> {
        Ok(Self {
            md5: content_md5(asked)?,
            checksums: Checksums::of_headers(asked)?,
            trailer: coding(asked)?,
            length: None,
            limit: Limit::of_document(0),
        })
    }

    /// Of the content, as far as the head tells without being judged.
    pub fn bytes(&self, asked: &Asked) -> usize {
        let told = if self.trailer.is_some() { decoded_length(asked).ok() } else { asked.length() };
        told.map_or(0, |length| usize::try_from(length).unwrap_or(0))
    }

    pub fn with_length(self, asked: &Asked, limit: Limit) -> Result<Self, &'static Failure> {
        let sent = asked.length();
        if sent.is_none() && !asked.is_chunked() {
            return Err(&failure::MISSING_LENGTH);
        }
        let length = if self.trailer.is_some() { Some(decoded_length(asked)?) } else { sent };
        if length.is_some_and(|length| length > limit.bytes) {
            return Err(limit.exceeded);
        }
        Ok(Self { length, limit, ..self })
    }
}

/// How long a content may be, and what is told of one that is longer.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub bytes: u64,
    pub exceeded: &'static Failure,
}

impl Limit {
    pub fn of_object(shared: &Shared) -> Self {
        Self { bytes: shared.object_bytes_max, exceeded: &failure::ENTITY_TOO_LARGE }
    }

    pub fn of_document(bytes: u64) -> Self {
        Self { bytes, exceeded: &failure::MALFORMED_XML }
    }
}

/// What is done once the body is whole.
pub enum Then {
    /// The one that must cost nothing but the object.
    Put(put::Put),
    Rare(Rare),
}

pub type Rare = Box<dyn FnOnce(&Exchange<'_>, Payload) -> Progress>;

/// A body that is being read. Feed it what comes, then finish it; a stack that gives up drops it.
pub struct Upload {
    then: Then,
    announced: Announcement,
    content: BytesMut,
    room: Reservation,
    md5: Md5,
    coding: Option<AwsChunked>,
    /// What the signature says of it.
    pub proof: Option<Proof>,
    failed: Option<&'static Failure>,
}

impl Upload {
    /// Takes the room.
    ///
    /// # Errors
    ///
    /// The store is full.
    pub fn open(
        shared: &Shared,
        announced: Announcement,
        mut then: Then,
    ) -> Result<Self, &'static Failure> {
        let length = announced.length;
        let room = shared.store.reserve(length.unwrap_or(0)).ok_or(&failure::SLOW_DOWN)?;
        // Exact size: what is accounted is what is held.
        let bytes = length.map_or(0, |length| usize::try_from(length).unwrap_or(0));
        let content = match &mut then {
            Then::Put(put) => put.buffer(bytes),
            Then::Rare(_) => BytesMut::with_capacity(bytes),
        };
        Ok(Self {
            then,
            content,
            coding: announced.trailer.is_some().then(AwsChunked::default),
            announced,
            room,
            md5: Md5::new(),
            proof: None,
            failed: None,
        })
    }

    /// Takes what came; what is wrong is told at the end, so that the connection goes on.
    pub fn feed(&mut self, data: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        let fed = match self.coding.take() {
            None => self.take_content(data),
            Some(mut coding) => {
                let mut chain = self.proof.take();
                let fed = coding.push(data, &mut chain, |content| self.take_content(content));
                (self.proof, self.coding) = (chain, Some(coding));
                fed
            }
        };
        self.failed = fed.err();
    }

    /// Why there is no sense in reading on: the rest may be without end.
    pub fn is_hopeless(&self) -> Option<&'static Failure> {
        self.failed.filter(|failed| failed.closing)
    }

    fn take_content(&mut self, data: &[u8]) -> Result<(), &'static Failure> {
        let size = (self.content.len() + data.len()) as u64;
        if self.announced.length.is_some_and(|length| size > length) {
            return Err(&failure::INCOMPLETE_BODY);
        }
        if size > self.announced.limit.bytes {
            return Err(self.announced.limit.exceeded);
        }
        let held = self.room.bytes();
        if size > held && !self.room.grow((size - held).next_multiple_of(GROW_BYTES)) {
            return Err(&failure::SLOW_DOWN);
        }
        self.md5.update(data);
        self.content.extend_from_slice(data);
        Ok(())
    }

    /// Judges the body that came whole, and goes on with what it came for.
    pub fn finish(mut self, exchange: &Exchange<'_>) -> Progress {
        self.judge_length()?;
        let Self { then, announced, content, md5, coding, proof, mut room, .. } = self;
        proof.map_or(Ok(()), |proof| proof.judge(&content))?;
        let md5 = <[u8; 16]>::from(md5.finalize());
        if announced.md5.is_some_and(|announced| announced != md5) {
            return Err(&failure::BAD_DIGEST);
        }
        let mut checksums = announced.checksums;
        checksums.verify(&content)?;
        if let Some(trailer) = coding.map(|coding| coding.checksums) {
            if announced.trailer.is_some_and(|announced| !trailer.has(announced)) {
                return Err(&failure::MALFORMED_TRAILER);
            }
            trailer.verify(&content)?;
            checksums.extend(&trailer);
        }
        room.shrink_to(content.len() as u64);
        let body = if content.len() == content.capacity() {
            content.freeze()
        } else {
            Bytes::copy_from_slice(&content)
        };
        let payload = Payload { body, md5, checksums, room };
        match then {
            Then::Put(put) => Ok(put.finish(payload)),
            Then::Rare(then) => then(exchange, payload),
        }
    }

    fn judge_length(&mut self) -> Result<(), &'static Failure> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let is_whole =
            self.announced.length.is_none_or(|length| length == self.content.len() as u64);
        let is_ended = self.coding.as_ref().is_none_or(AwsChunked::is_done);
        (is_whole && is_ended).then_some(()).ok_or(&failure::INCOMPLETE_BODY)
    }
}

fn content_md5(asked: &Asked) -> Result<Option<[u8; 16]>, &'static Failure> {
    let Some(value) = asked.header("content-md5") else { return Ok(None) };
    let mut sum = [0; 18]; // the decoder asks for room in threes
    let size = STANDARD.decode_slice(value, &mut sum).map_err(|_| &failure::INVALID_DIGEST)?;
    let sum = sum[..size].try_into();
    sum.map(Some).map_err(|_| &failure::INVALID_DIGEST)
}

/// What the trailer must bring, where the body is aws-chunked.
fn coding(asked: &Asked) -> Result<Option<Announced>, &'static Failure> {
    let Some(kind) = asked.header("x-amz-content-sha256") else { return Ok(None) };
    match kind {
        b"UNSIGNED-PAYLOAD" => Ok(None),
        b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(Some(Announced::default())),
        b"STREAMING-UNSIGNED-PAYLOAD-TRAILER" | b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
            Ok(Some(Announced::of_headers(asked)))
        }
        kind if kind.starts_with(b"STREAMING-") => Err(&failure::NOT_IMPLEMENTED),
        hex if hex.len() == 64 && hex.iter().all(u8::is_ascii_hexdigit) => Ok(None),
        _ => Err(&failure::INVALID_ARGUMENT),
    }
}

fn decoded_length(asked: &Asked) -> Result<u64, &'static Failure> {
    let text = asked.header("x-amz-decoded-content-length").ok_or(&failure::MISSING_LENGTH)?;
    let text = std::str::from_utf8(text).map_err(|_| &failure::INVALID_ARGUMENT)?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let length = text.parse().ok().filter(|_| digits);
    length.ok_or(&failure::INVALID_ARGUMENT)
}
