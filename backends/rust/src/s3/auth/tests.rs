//! The examples of the S3 API reference: "Signature Calculations for the Authorization Header".

use bumpalo::Bump;

use super::authorization::Authorization;
use super::canonical::Request;
use super::chain::{Chain, Seal};
use super::keys::{Keys, derive};
use super::stamp::Stamp;
use crate::s3::asked::tests::asked;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const BUCKET: (&str, &str) = ("host", "examplebucket.s3.amazonaws.com");
const DATE: (&str, &str) = ("x-amz-date", "20130524T000000Z");

/// The seal of a request, if the signature is its own.
fn seal(
    (method, uri): (&str, &str),
    sent: &[(&str, &str)],
    payload: &str,
    signature: &str,
) -> Option<Seal> {
    let mut sent = sent.to_vec();
    sent.push(("x-amz-content-sha256", payload));
    let mut asked = asked(method, uri, &sent);
    asked.route().unwrap();
    let mut signed: Vec<_> = sent.iter().map(|(name, _)| *name).collect();
    signed.sort_unstable();
    let signed = signed.join(";");
    let request = Request { asked: &asked, signed: &signed, payload };
    let digest = request.sha256(&Bump::new()).unwrap();
    let stamp = Stamp::read(&asked).unwrap();
    let key = derive(SECRET, "20130524", "us-east-1");
    Seal::of_request(&key, &stamp, SCOPE, &digest, signature)
}

#[test]
fn requests_have_the_signatures_of_the_examples() {
    let welcome = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    let class = ("x-amz-storage-class", "REDUCED_REDUNDANCY");
    let imf_date = ("date", "Fri, 24 May 2013 00:00:00 GMT");
    for (line, sent, payload, signature) in [
        (
            ("GET", "/test.txt"),
            &[BUCKET, ("range", " bytes=0-9 "), DATE][..],
            EMPTY,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            ("PUT", "/test$file.text"),
            &[BUCKET, imf_date, DATE, class],
            welcome,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            ("GET", "/?lifecycle"),
            &[BUCKET, DATE],
            EMPTY,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            ("GET", "/?prefix=%4A&max-keys=2"),
            &[BUCKET, DATE],
            EMPTY,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        assert!(seal(line, sent, payload, signature).is_some(), "{line:?}");
        let upper = (line.0, "/Test.txt");
        assert!(seal(upper, sent, payload, signature).is_none(), "{line:?}");
        assert!(seal(line, sent, payload, &signature[1..]).is_none(), "{line:?}");
    }
}

fn chunked(extra: &[(&str, &str)], payload: &str, signature: &str) -> Seal {
    let mut sent = vec![
        ("host", "s3.amazonaws.com"),
        DATE,
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ];
    sent.extend_from_slice(extra);
    seal(("PUT", "/examplebucket/chunkObject.txt"), &sent, payload, signature).unwrap()
}

fn feed(chain: &mut Chain, signatures: [&str; 3]) {
    for (size, signature) in [65_536, 1024, 0].into_iter().zip(signatures) {
        chain.begin_chunk(&format!("chunk-signature={signature}"));
        chain.data(&vec![b'a'; size]);
        chain.end_chunk(size == 0);
    }
}

#[test]
fn chunks_have_the_signatures_of_the_example() {
    let own = chunked(
        &[("content-length", "66824")],
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    );
    let signatures = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ];
    let mut chain = Chain::new(own.clone(), false);
    assert!(!chain.holds(), "nothing came yet");
    feed(&mut chain, signatures);
    assert!(chain.holds());
    chain.trailer("x-amz-checksum-crc32", "AAAAAA==");
    assert!(!chain.holds(), "a trailer that nobody signed");
    let mut chain = Chain::new(own, false);
    feed(&mut chain, [signatures[1], signatures[0], signatures[2]]);
    assert!(!chain.holds());
}

#[test]
fn a_trailer_has_the_signature_of_the_example() {
    let own = chunked(
        &[("x-amz-trailer", "x-amz-checksum-crc32c")],
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    );
    let mut chain = Chain::new(own, true);
    let signatures = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ];
    feed(&mut chain, signatures);
    chain.trailer("X-Amz-Checksum-Crc32c", "sOO8/Q==");
    assert!(!chain.holds(), "the trailer's signature is missing");
    let signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
    chain.trailer("x-amz-trailer-signature", signature);
    assert!(chain.holds());
}

#[test]
fn a_key_is_kept_for_its_day_and_region() {
    let keys = Keys::default();
    let by = Authorization {
        credential: "a/20130524/us-east-1/s3/aws4_request",
        id: "a",
        scope: SCOPE,
        day: "20130524",
        region: "us-east-1",
        signed: "host",
        signature: "",
    };
    keys.keep(by.credential, keys.signing_key(&by, SECRET));
    assert_eq!(keys.count(), 1);
    for number in 0..1000 {
        keys.keep(&number.to_string(), keys.signing_key(&by, SECRET));
    }
    assert!(keys.count() <= 256);
}
