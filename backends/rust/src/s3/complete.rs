//! The end of an upload: which parts the client names, and the object that they become.

use std::sync::Arc;
use std::time::SystemTime;

use super::answer::{self, Answer};
use super::change::{Pending, Write};
use super::failure::{self, Failure};
use super::get::number;
use super::multipart::{of_upload, open_id};
use super::upload::{Announcement, Limit};
use super::xml::{NAMESPACE, Xml, encode_url};
use super::{Exchange, Progress, Step, put, xml_read};
use crate::conditions::Conditions;
use crate::object::{ETag, Object};
use crate::store::Bucket;
use crate::uploads::{Completing, Named, PART_NUMBER_MAX};

/// Holds 10,000 parts with their tags and checksums.
const COMPLETION_BYTES_MAX: u64 = 8 << 20;

pub fn upload(exchange: &Exchange<'_>) -> Progress {
    let asked = exchange.asked;
    let announced = Announcement::read_digests(asked)?;
    let conditions = put::conditions(asked);
    let announced = announced.with_length(asked, Limit::of_document(COMPLETION_BYTES_MAX))?;
    let bucket = exchange.bucket()?;
    let id = open_id(exchange, &bucket)?;
    put::judge(&bucket, asked.key(), &conditions)?;
    exchange.after_body(announced, move |exchange, payload| {
        let named = parse(&payload.body)?;
        drop(payload); // the list's room counts against the store only until it is read
        let (key, shared) = (exchange.asked.key(), &exchange.rules.shared);
        let completing =
            Completing::take(&bucket, &shared.store, (key, id), &named, shared.object_bytes_max);
        let completing = completing.map_err(of_upload)?;
        Ok(Step::Change(pending(exchange, bucket, completing, conditions)))
    })
}

fn pending(
    exchange: &Exchange<'_>,
    bucket: Arc<Bucket>,
    completing: Completing,
    conditions: Conditions,
) -> Pending {
    let modified = SystemTime::now();
    let etag = ETag::new(completing.md5, completing.count);
    let mut text = Xml::new("CompleteMultipartUploadResult", NAMESPACE, exchange.arena);
    let key = exchange.asked.key();
    let path = encode_url(key, exchange.arena);
    text.element("Location", &format!("/{}/{path}", bucket.name));
    text.element("Bucket", &bucket.name);
    text.element("Key", key);
    text.element("ETag", etag.as_str());
    let answer = Answer::xml(text.finish("CompleteMultipartUploadResult"));
    let object = Arc::new(Object {
        body: completing.content.clone(),
        parts: completing.count,
        md5: completing.md5,
        etag,
        modified,
        last_modified: answer::http_date(modified),
        kept: completing.kept.clone(),
        ..Object::blank()
    });
    let room = completing.room();
    Pending::completing(Write::Put { bucket, object, room, conditions }, answer, completing)
}

/// The parts that a completion names, in an order that rises.
fn parse(body: &[u8]) -> Result<Vec<Named>, &'static Failure> {
    let malformed = || &failure::MALFORMED_XML;
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    let (mut named, mut part_number, mut part_tag) = (Vec::new(), None, None);
    xml_read::read(text, |path, value| {
        match *path {
            [b"CompleteMultipartUpload", b"Part", b"PartNumber"] => {
                part_number = Some(number(value.trim()).ok_or_else(malformed)?);
            }
            [b"CompleteMultipartUpload", b"Part", b"ETag"] => {
                part_tag = Some(value.trim().trim_matches('"').to_owned());
            }
            [b"CompleteMultipartUpload", b"Part"] => {
                let number = part_number.take().ok_or_else(malformed)?;
                named.push(Named { number, tag: part_tag.take().ok_or_else(malformed)? });
            }
            [b"CompleteMultipartUpload"] | [b"CompleteMultipartUpload", _, ..] => {}
            _ => return Err(malformed()),
        }
        Ok(())
    })?;
    if !(1..=usize::from(PART_NUMBER_MAX)).contains(&named.len()) {
        return Err(malformed());
    }
    let rising = named.windows(2).all(|pair| pair[0].number < pair[1].number);
    if rising { Ok(named) } else { Err(&failure::INVALID_PART_ORDER) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(parts: &str) -> String {
        format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
    }

    #[test]
    fn parts_are_read_as_clients_write_them() {
        let text = list(
            r" <Part><ChecksumCRC32>x</ChecksumCRC32><ETag>&quot;a&#34;</ETag>
            <PartNumber>7</PartNumber></Part><Part><PartNumber>70000</PartNumber><ETag/></Part>",
        );
        let named = parse(text.as_bytes()).unwrap();
        let expected = [(7, "a"), (70_000, "")];
        assert_eq!(named, expected.map(|(number, tag)| Named { number, tag: tag.into() }));
    }

    #[test]
    fn what_is_not_a_rising_list_is_refused() {
        let one = "<Part><PartNumber>1</PartNumber><ETag>a</ETag></Part>";
        let cut = list(one);
        for (text, failed) in [
            ("", &failure::MALFORMED_XML),
            (&cut[..cut.len() - 1], &failure::MALFORMED_XML),
            (&list(""), &failure::MALFORMED_XML),
            (&list("<Part><PartNumber>1</PartNumber></Part>"), &failure::MALFORMED_XML),
            (&list(&one.replace('1', "one")), &failure::MALFORMED_XML),
            (&list(&format!("{one}{one}")), &failure::INVALID_PART_ORDER),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(failed), "{text}");
        }
    }
}
