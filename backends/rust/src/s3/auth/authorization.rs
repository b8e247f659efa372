//! The `Authorization` header: its three fields, and what they say.

use memchr::memchr;

use super::ALGORITHM;
use crate::s3::asked::Asked;
use crate::s3::failure::{self, Failure};

const NAMES: [&str; 3] = ["Credential", "SignedHeaders", "Signature"];
const DAY_BYTES: usize = "20260101".len();

/// The values of the fields, in the order of `NAMES`; none is empty.
pub struct Fields<'a>([&'a str; 3]);

impl<'a> Fields<'a> {
    pub fn new(credential: &'a str, signed: &'a str, signature: &'a str) -> Self {
        Self([credential, signed, signature])
    }

    /// `None` without the header; an error when it is there and not well formed.
    pub fn read(asked: &'a Asked) -> Result<Option<Self>, &'static Failure> {
        let mut values = asked.all("authorization");
        let Some(value) = values.next() else { return Ok(None) };
        let fields = std::str::from_utf8(value).ok().and_then(Self::parse);
        let fields = fields.filter(|_| values.next().is_none());
        fields.map(Some).ok_or(&failure::AUTHORIZATION)
    }

    fn parse(text: &'a str) -> Option<Self> {
        let fields = text.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let mut found = [""; 3];
        let mut rest = Some(fields);
        while let Some(left) = rest {
            let (field, behind) = cut(left, b',').map_or((left, None), |(a, b)| (a, Some(b)));
            rest = behind;
            let (name, value) = cut(field.trim(), b'=')?;
            let place = NAMES.iter().position(|known| *known == name)?;
            if value.is_empty() || !found[place].is_empty() {
                return None;
            }
            found[place] = value;
        }
        (!found.contains(&"")).then_some(Self(found))
    }
}

/// What stands before and behind the first of such bytes of ASCII.
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let place = memchr(at, text.as_bytes())?;
    Some((&text[..place], &text[place + 1..]))
}

/// Who signed, for which day and region, and which headers.
#[derive(Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// All of it: `id/day/region/s3/aws4_request`.
    pub credential: &'a str,
    pub id: &'a str,
    /// The credential behind the id.
    pub scope: &'a str,
    pub day: &'a str,
    pub region: &'a str,
    /// Names as they were sent, `;` between them.
    pub signed: &'a str,
    pub signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// `None` when the scope is not one of S3, or the signed names do not rise: one that came again
    /// and again would make a canonical request of any size from a small head.
    pub fn read(fields: &Fields<'a>) -> Option<Self> {
        let [credential, signed, signature] = fields.0;
        let (id_and_day, region) = credential.strip_suffix("/s3/aws4_request")?.rsplit_once('/')?;
        let (id, day) = id_and_day.rsplit_once('/')?;
        let is_day = day.len() == DAY_BYTES && day.bytes().all(|byte| byte.is_ascii_digit());
        let rises = signed.split(';').is_sorted_by(|before, name| before < name);
        let scope = &credential[id.len() + 1..];
        (is_day && rises).then_some(Self { credential, id, scope, day, region, signed, signature })
    }

    /// The host, and every header of Amazon's own that was sent.
    pub fn signs_what_it_must(&self, asked: &Asked) -> bool {
        let signs = |name: &str| self.signed.split(';').any(|signed| signed == name);
        let mut names = asked.headers().map(|(name, _)| name);
        signs("host") && names.all(|name| !name.starts_with("x-amz-") || signs(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = "SignedHeaders=host,Signature=0";

    #[test]
    fn a_scope_is_of_a_day_a_region_and_s3() {
        let text = format!("{ALGORITHM} Credential=a/b/20260101/x/s3/aws4_request, {REST}");
        let fields = Fields::parse(&text).unwrap();
        let read = Authorization::read(&fields).unwrap();
        assert_eq!((read.id, read.day, read.region), ("a/b", "20260101", "x"));
        assert_eq!(read.scope, "20260101/x/s3/aws4_request");
        for credential in ["a", "a/20260101/x/ec2/aws4_request", "20260101/x/s3/aws4_request"] {
            let text = format!("{ALGORITHM} Credential={credential},{REST}");
            let read = Fields::parse(&text).and_then(|fields| Authorization::read(&fields));
            assert_eq!(read, None, "{credential}");
        }
    }

    #[test]
    fn signed_names_rise() {
        for (names, is_good) in [("host;x-amz-date", true), ("b;a", false), ("a;a", false)] {
            let fields = Fields(["a/20260101/x/s3/aws4_request", names, "0"]);
            assert_eq!(Authorization::read(&fields).is_some(), is_good, "{names}");
        }
    }

    #[test]
    fn fields_come_once_each_and_are_not_empty() {
        for text in [
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b",
            "AWS4-HMAC-SHA256 Credential=,SignedHeaders=b,Signature=c",
            "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b,Signature=c,Signature=c",
            "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b,Signature=c,Other=d",
        ] {
            assert!(Fields::parse(text).is_none(), "{text}");
        }
    }
}
