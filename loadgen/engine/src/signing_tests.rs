//! Signatures against AWS's published examples, and that no key is told.

use super::*;

fn credentials() -> Credentials {
    Credentials {
        access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        region: default_region(),
    }
}

/// 2013-05-24T00:00:00Z, the time of the published examples.
const SECOND: u64 = 1_369_353_600;

#[test]
fn the_published_examples_have_their_signatures() {
    let host = b"examplebucket.s3.amazonaws.com";
    let mut signer = Signer::new(&credentials(), Payload::Hex, host);
    for (target, signature) in [
        (
            "/?lifecycle",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "/?prefix=J&max-keys=2",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let (path, query) = canonical(target);
        let request = Request {
            method: b"GET",
            path: &path,
            query: &query,
            content: signer.bodiless(),
        };
        let stamp = signer.stamp(&request, SECOND);
        assert_eq!(&stamp.date, b"20130524T000000Z");
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/\
             aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, \
             Signature={signature}"
        );
        assert_eq!(
            String::from_utf8(stamp.authorization.clone()).unwrap(),
            expected
        );
    }
}

#[test]
fn another_day_has_another_key_and_the_first_comes_back() {
    let mut signer = Signer::new(&credentials(), Payload::Unsigned, b"h");
    let mut at = |second| {
        let request = Request {
            method: b"GET",
            path: b"/",
            query: b"",
            content: Content::Unsigned,
        };
        signer.stamp(&request, second).authorization.clone()
    };
    let (first, next) = (at(SECOND), at(SECOND + 86_400));
    assert_ne!(first, next);
    assert!(String::from_utf8(next).unwrap().contains("/20130525/"));
    assert_eq!(at(SECOND), first);
    assert_ne!(at(SECOND + 1), first);
}

#[test]
fn targets_are_written_as_the_signature_has_them() {
    for (target, path, query) in [
        ("/", "/", ""),
        ("/b/a%2Fb%20c+d", "/b/a/b%20c%2Bd", ""),
        ("/b/%c3%bc%+f%", "/b/%C3%BC%25%2Bf%25", ""),
        ("/b?b=2&a&a=%2f&&", "/b", "a=&a=%2F&b=2"),
    ] {
        let found = canonical(target);
        assert_eq!(found, (path.into(), query.into()), "{target}");
    }
}

#[test]
fn no_key_is_told() {
    let mut bad = credentials();
    bad.secret_key.push('\n');
    let fault = bad.validate().unwrap_err();
    assert_eq!(fault.place, "target.credentials.secret_key");
    let signer = Signer::new(&credentials(), Payload::Hex, b"h");
    for told in [
        format!("{fault} {fault:?}"),
        format!("{bad:?} {:?} {signer:?}", credentials()),
    ] {
        assert!(!told.contains("wJalr") && !told.contains("AKIA"), "{told}");
    }
    for (access_key, region) in [("a/b", "r"), ("", "r"), ("a", ""), ("a", "r/s")] {
        let bad = Credentials {
            access_key: access_key.to_owned(),
            region: region.to_owned(),
            ..credentials()
        };
        assert!(bad.validate().is_err(), "{access_key:?} {region:?}");
    }
}
