//! The listings of a bucket's open uploads, and of the parts of one.

use super::answer::Answer;
use super::bucket::{LIST_KEYS_MAX, encoding, iso_time, page_limit, text_of};
use super::failure;
use super::get::number;
use super::multipart::{of_upload, open_id};
use super::xml::{NAMESPACE, Xml};
use super::{Exchange, Outcome};
use crate::object::ETag;
use crate::store::ListQuery;
use crate::uploads::UploadsPage;

/// GET ?uploadId of a key.
pub fn parts(exchange: &Exchange<'_>) -> Outcome {
    let asked = exchange.asked;
    let max = page_limit(asked, "max-parts", LIST_KEYS_MAX)?;
    let after = match asked.get("part-number-marker").unwrap_or("") {
        "" => 0,
        text => number(text).ok_or(&failure::INVALID_ARGUMENT)?,
    };
    let bucket = exchange.bucket()?;
    let id = open_id(exchange, &bucket)?;
    let from = u16::try_from(after).unwrap_or(u16::MAX);
    let page = bucket.uploads.parts((asked.key(), id), from, max);
    let (parts, truncated) = page.map_err(of_upload)?;
    let mut text = Xml::new("ListPartsResult", NAMESPACE, exchange.arena);
    text.element("Bucket", &bucket.name);
    text.element("Key", asked.key());
    text.element("UploadId", &id.to_string());
    text.keeper();
    text.element("PartNumberMarker", &after.to_string());
    if let Some((last, _)) = parts.last().filter(|_| truncated) {
        text.element("NextPartNumberMarker", &last.to_string());
    }
    text.element("MaxParts", &max.to_string());
    text.element("IsTruncated", if truncated { "true" } else { "false" });
    for (number, part) in &parts {
        text.start("Part");
        text.element("PartNumber", &number.to_string());
        text.element("LastModified", &iso_time(part.modified));
        text.element("ETag", ETag::new(part.md5, 0).as_str());
        text.element("Size", &part.body.len().to_string());
        text.end("Part");
    }
    Ok(Answer::xml(text.finish("ListPartsResult")))
}

/// GET ?uploads of a bucket.
pub fn uploads(exchange: &Exchange<'_>) -> Outcome {
    let asked = exchange.asked;
    let parameter = |name| asked.get(name).unwrap_or("");
    let query = ListQuery {
        prefix: parameter("prefix"),
        delimiter: parameter("delimiter"),
        after: parameter("key-marker"),
        max: page_limit(asked, "max-uploads", LIST_KEYS_MAX)?,
    };
    let url = encoding(asked)?;
    let name = |value| text_of(value, url, exchange.arena);
    let id_after = parameter("upload-id-marker");
    let bucket = exchange.bucket()?;
    let page = bucket.uploads.list(&query, id_after);
    let mut text = Xml::new("ListMultipartUploadsResult", NAMESPACE, exchange.arena);
    text.element("Bucket", &bucket.name);
    text.element("KeyMarker", name(query.after));
    text.element("UploadIdMarker", id_after);
    if let Some((last, upload)) = page.entries.last().filter(|_| page.truncated) {
        text.element("NextKeyMarker", name(last));
        let id = upload.map_or(String::new(), |(id, _)| id.to_string());
        text.element("NextUploadIdMarker", &id);
    }
    text.element("Prefix", name(query.prefix));
    text.element("MaxUploads", &query.max.to_string());
    if !query.delimiter.is_empty() {
        text.element("Delimiter", name(query.delimiter));
    }
    if url {
        text.element("EncodingType", "url");
    }
    text.element("IsTruncated", if page.truncated { "true" } else { "false" });
    write_entries(&mut text, &page, name);
    Ok(Answer::xml(text.finish("ListMultipartUploadsResult")))
}

fn write_entries<'a>(text: &mut Xml<'_>, page: &'a UploadsPage, name: impl Fn(&'a str) -> &'a str) {
    for (key, upload) in &page.entries {
        let Some((id, begun)) = upload else { continue };
        text.start("Upload");
        text.element("Key", name(key));
        text.element("UploadId", &id.to_string());
        text.keeper();
        text.element("Initiated", &iso_time(*begun));
        text.end("Upload");
    }
    for (prefix, _) in page.entries.iter().filter(|(_, upload)| upload.is_none()) {
        text.start("CommonPrefixes");
        text.element("Prefix", name(prefix));
        text.end("CommonPrefixes");
    }
}
