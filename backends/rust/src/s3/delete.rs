//! POST ?delete: up to 1000 keys at once.

use super::bucket::LIST_KEYS_MAX;
use super::failure::{self, Failure};
use super::xml::{NAMESPACE, Xml};
use super::{Answer, Exchange, body, put, reply, xml_read};

/// Holds 1000 keys of 1024 bytes, escaped, and their tags.
const DELETE_BYTES_MAX: usize = 8 << 20;

pub async fn many(mut exchange: Exchange<'_>) -> Answer {
    let bucket = exchange.bucket()?;
    let shared = &exchange.worker.shared;
    // The list's room counts against the store only while the request lasts.
    let payload = body::read(&mut exchange.request, shared).await?;
    if payload.body.len() > DELETE_BYTES_MAX {
        return Err(&failure::MALFORMED_XML);
    }
    put::verify(&payload)?;
    let text = std::str::from_utf8(&payload.body).map_err(|_| &failure::MALFORMED_XML)?;
    let request = DeleteRequest::parse(text)?;
    let mut answer = Xml::new("DeleteResult", NAMESPACE, exchange.arena);
    exchange.worker.delete_all(&bucket, &request.keys).await?;
    for key in &request.keys {
        if !request.quiet {
            answer.start("Deleted");
            answer.element("Key", key);
            answer.end("Deleted");
        }
    }
    Ok(reply::xml(200, answer.finish("DeleteResult")))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct DeleteRequest {
    quiet: bool,
    keys: Vec<String>,
}

impl DeleteRequest {
    fn parse(text: &str) -> Result<Self, &'static Failure> {
        let mut request = Self::default();
        xml_read::read(text, |path, value| request.end_element(path, value))?;
        let known = (1..=LIST_KEYS_MAX).contains(&request.keys.len());
        if known { Ok(request) } else { Err(&failure::MALFORMED_XML) }
    }

    fn end_element(&mut self, path: &[&[u8]], value: &str) -> Result<(), &'static Failure> {
        match *path {
            [b"Delete", b"Object", b"Key"] if !value.is_empty() => self.keys.push(value.to_owned()),
            [b"Delete", b"Object", b"VersionId"] => return Err(&failure::NOT_IMPLEMENTED),
            [b"Delete", b"Quiet"] => self.quiet = ["true", "1"].contains(&value.trim()),
            [b"Delete"] | [b"Delete", _, ..] => {}
            _ => return Err(&failure::MALFORMED_XML),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unescaped_and_namespaces_ignored() {
        let text = r#"<?xml version="1.0"?><Delete xmlns="x"><Quiet>true</Quiet>
            <Object><Key>a&amp;&#32;b</Key></Object>
            <Object><Key><![CDATA[<]]></Key></Object></Delete>
        "#;
        let request = DeleteRequest::parse(text).unwrap();
        assert_eq!(request, DeleteRequest { quiet: true, keys: vec!["a& b".into(), "<".into()] });
    }

    #[test]
    fn what_is_not_a_list_of_keys_is_malformed() {
        for text in [
            "",
            "x",
            "<Delete/>",
            "<Delete><Object/></Delete>",
            "<A><Object/></A>",
            "<Delete><Object><Key>a</Key></Object>",
            "<Delete><Object><Key>&no;</Key></Object></Delete>",
        ] {
            assert_eq!(DeleteRequest::parse(text), Err(&failure::MALFORMED_XML), "{text}");
        }
    }
}
