//! The end of an upload: which parts the client names, and the object that they become.

use std::time::SystemTime;

use super::failure::{self, Failure};
use super::get::number;
use super::multipart::{of_upload, open_id};
use super::xml::{NAMESPACE, Xml, encode_url};
use super::{Answer, Exchange, body, put, reply, xml_read};
use crate::store::Object;
use crate::uploads::{Named, PART_NUMBER_MAX};

/// Holds 10,000 parts with their tags and checksums.
const COMPLETION_BYTES_MAX: usize = 8 << 20;

pub async fn upload(mut exchange: Exchange<'_>) -> Answer {
    let only_if_absent = put::only_if_absent(exchange.request.headers())?;
    let bucket = exchange.bucket()?;
    let id = open_id(&exchange, &bucket)?;
    let shared = &exchange.worker.shared;
    // The list's room counts against the store only until it is read.
    let payload = body::read(&mut exchange.request, shared).await?;
    put::verify(&payload)?;
    let named = parse(&payload.body)?;
    drop(payload);
    let key = exchange.target.key;
    let completed =
        bucket.uploads.complete(&shared.store, (key, id), &named, shared.object_bytes_max);
    let completing = completed.map_err(of_upload)?;
    let modified = SystemTime::now();
    let etag = reply::etag_of(completing.md5, completing.count);
    let object = Object {
        body: completing.content.clone(),
        parts: completing.count,
        md5: completing.md5,
        etag: etag.clone(),
        modified,
        last_modified: reply::date_value(modified),
        content_type: completing.content_type.clone(),
        kept: completing.kept.clone(),
    };
    let put = exchange.worker.put(&bucket, key, object, completing.room(), only_if_absent).await;
    if let Err(failed) = put {
        completing.reopen();
        return Err(failed);
    }
    let mut text = Xml::new("CompleteMultipartUploadResult", NAMESPACE, exchange.arena);
    let path = encode_url(key, exchange.arena);
    text.element("Location", &format!("/{}/{path}", bucket.name));
    text.element("Bucket", &bucket.name);
    text.element("Key", key);
    text.element("ETag", etag.to_str().unwrap_or(""));
    Ok(reply::xml(200, text.finish("CompleteMultipartUploadResult")))
}

/// The parts that a completion names, in an order that rises.
fn parse(body: &[u8]) -> Result<Vec<Named>, &'static Failure> {
    let malformed = || &failure::MALFORMED_XML;
    if body.len() > COMPLETION_BYTES_MAX {
        return Err(malformed());
    }
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
