// Known answers of Signature Version 4: the examples of its specification, and what must fail.
#include "aws_chunked.h"
#include "expect.h"
#include "request.h"
#include "verifier.h"
#include <string>
#include <vector>

using namespace pausemark;

// The key and the day of the specification's examples.
static const std::vector<credential> known = {
    {"someone-else", "AWS4other"},
    {"AKIAIOSFODNN7EXAMPLE", "AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
};
constexpr std::int64_t day_s = 1369353600; // 2013-05-24
constexpr text host = "examplebucket.s3.amazonaws.com";
constexpr text credential_text = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";

struct head {
    text verb = "GET", path, query;
    std::vector<header> fields;
    text signed_names, signature;
    text credential = credential_text;
    std::int64_t now_s = day_s;
};

static error verify(verifier &v, const head &h, request &r, std::string &authorization) {
    authorization.assign("AWS4-HMAC-SHA256 Credential=").append(h.credential);
    authorization.append(",SignedHeaders=").append(h.signed_names);
    authorization.append(", Signature=").append(h.signature);
    r.reset();
    r.verb_name = h.verb;
    r.path = h.path;
    r.query = h.query;
    v.begin_head();
    for (const auto &[name, value] : h.fields) {
        r.read_header(name, value);
        v.add_field(name, value);
    }
    r.read_header("Authorization", authorization);
    v.add_field("Authorization", authorization);
    return v.verify(r, h.now_s);
}

static error verify(verifier &v, const head &h) {
    const auto r = std::make_unique<request>();
    std::string authorization;
    return verify(v, h, *r, authorization);
}

static head get_example() {
    head h;
    h.path = "/test.txt";
    h.fields = {{"Host", host},
                {"Range", "bytes=0-9"},
                {"x-amz-content-sha256", empty_sha256},
                {"x-amz-date", "20130524T000000Z"}};
    h.signed_names = "host;range;x-amz-content-sha256;x-amz-date";
    h.signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    return h;
}

static head list_example() {
    head h;
    h.path = "/";
    h.query = "prefix=J&max-keys=2"; // sorted by us
    h.fields = {
        {"x-amz-date", "20130524T000000Z"}, {"x-amz-content-sha256", empty_sha256}, {"host", host}};
    h.signed_names = "host;x-amz-content-sha256;x-amz-date";
    h.signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    return h;
}

static head put_example() {
    head h;
    h.verb = "PUT";
    h.path = "/test$file.text";
    h.fields = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                {"Host", host},
                {"X-Amz-Content-SHA256",
                 "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
                {"x-amz-date", "20130524T000000Z"},
                {"x-amz-storage-class", " REDUCED_REDUNDANCY "}};
    h.signed_names = "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class";
    h.signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
    return h;
}

static void test_hashes() {
    sha256 hash;
    EXPECT(hash.open());
    for (int i = 0; i < 2; i++) { // one context serves again
        hash.restart();
        hash.add("ab");
        hash.add("c");
        EXPECT(view(to_hex(hash.finish())) ==
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
    // RFC 4231, cases 1 and 6: a short key, and one that is longer than a block.
    const std::vector<std::uint8_t> short_key(20, 0x0b), long_key(131, 0xaa);
    EXPECT(view(to_hex(hmac_sha256(hash, short_key, {"Hi There"}))) ==
           "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT(view(to_hex(hmac_sha256(hash, long_key,
                                   {"Test Using Larger Than Block-Size Key - Hash Key First"}))) ==
           "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_basic_date() {
    EXPECT(from_basic_date("20130524T000000Z") == day_s);
    EXPECT(view(to_basic_date(951782399)) == "20000228T235959Z");
    for (const text bad : {"", "20130524T000000", "20130524T0000:0Z", "20130230T000000Z",
                           "20131301T000000Z", "20130524T240000Z", "20130524 000000Z"})
        EXPECT(!from_basic_date(bad));
}

static void test_examples(verifier &v) {
    for (const head &h : {get_example(), list_example(), put_example()}) {
        EXPECT(verify(v, h) == error::none); // derives the key
        EXPECT(verify(v, h) == error::none); // has it
    }
    head h = get_example();
    h.now_s += 900;
    EXPECT(verify(v, h) == error::none);
    h.now_s++;
    EXPECT(verify(v, h) == error::request_time_skewed);
}

static void test_refusals(verifier &v) {
    struct planted {
        error expected;
        void (*change)(head &h);
    };
    constexpr planted faults[] = {
        {error::signature_mismatch, [](head &h) { h.path = "/test.tx"; }},
        {error::signature_mismatch, [](head &h) { h.query = "a"; }},
        {error::signature_mismatch, [](head &h) { h.verb = "HEAD"; }},
        {error::signature_mismatch, [](head &h) { h.fields[1].value = "bytes=0-8"; }},
        {error::signature_mismatch, [](head &h) { h.fields.erase(h.fields.begin() + 1); }},
        {error::signature_mismatch, [](head &h) { h.signature.remove_suffix(1); }},
        {error::signature_mismatch, [](head &h) { h.signed_names = "host;unsent;x-amz-date"; }},
        {error::access_form, [](head &h) { h.signed_names = "host;host"; }},
        {error::access_form, [](head &h) { h.signed_names = "range;host"; }},
        {error::access_form, [](head &h) { h.signed_names = ";"; }},
        {error::access_denied,
         [](head &h) {
             h.fields.push_back({"X-Amz-Acl", "private"});
         }},
        {error::access_denied, [](head &h) { h.fields[3].value = "20130524"; }},
        {error::access_denied, [](head &h) { h.fields.pop_back(); }},
        {error::access_denied, [](head &h) { h.fields[3].value = "20130525T000000Z"; }},
        {error::invalid_request, [](head &h) { h.fields.erase(h.fields.begin() + 2); }},
        {error::access_form, [](head &h) { h.credential = "A/20130524/us-east-1/s3"; }},
        {error::access_form, [](head &h) { h.credential = "A/20130524//s3/aws4_request"; }},
        {error::access_form, [](head &h) { h.credential = "/s3/aws4_request"; }},
        {error::access_form, [](head &h) { h.signature = ""; }},
        {error::invalid_access_key_id,
         [](head &h) { h.credential = "B/20130524/us-east-1/s3/aws4_request"; }},
        {error::signature_mismatch,
         [](head &h) { h.credential = "someone-else/20130524/us-east-1/s3/aws4_request"; }},
    };
    for (const planted &fault : faults) {
        head h = get_example();
        fault.change(h);
        EXPECT(verify(v, h) == fault.expected);
    }
    EXPECT(verify(v, get_example()) == error::none);
}

static std::string canonical(text query) {
    // What the sorter writes is only seen as a digest: compare it with that of the expected text.
    sha256 hash;
    EXPECT(hash.open());
    query_sorter sorter(head_bytes_max);
    canonical_writer to(hash);
    sorter.put(to, query);
    return std::string(view(to_hex(to.finish())));
}

static std::string digest_of(text bytes) {
    sha256 hash;
    EXPECT(hash.open());
    hash.restart();
    hash.add(bytes);
    return std::string(view(to_hex(hash.finish())));
}

static void test_queries() {
    EXPECT(canonical("b&a=2&a=10&") == digest_of("a=10&a=2&b="));
    EXPECT(canonical("x-id-b=1&x-id=2") == digest_of("x-id=2&x-id-b=1"));
    EXPECT(canonical("a=/&a=%2f+&%7e=%zz") == digest_of("a=%2F&a=%2F%2B&~=%25zz"));
    EXPECT(canonical("B&a&_&%e2") == digest_of("%E2=&B=&_=&a="));
    EXPECT(canonical("=x&&a=b=c") == digest_of("=x&a=b%3Dc"));
    std::string many, sorted;
    for (std::size_t i = 0; i < head_bytes_max / 2; i++)
        many += "a&";
    for (std::size_t i = 0; i < head_bytes_max / 2; i++)
        sorted += i == 0 ? "a=" : "&a=";
    EXPECT(canonical(many) == digest_of(sorted));
}

static head chunk_example() {
    head h;
    h.verb = "PUT";
    h.path = "/examplebucket/chunkObject.txt";
    h.fields = {{"Host", "s3.amazonaws.com"},
                {"x-amz-date", "20130524T000000Z"},
                {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                {"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
                {"Content-Encoding", "aws-chunked"},
                {"x-amz-decoded-content-length", "66560"},
                {"Content-Length", "66824"}};
    h.signed_names = "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
                     "x-amz-decoded-content-length;x-amz-storage-class";
    h.signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    return h;
}

static head trailer_example() {
    head h = chunk_example();
    h.fields[3].value = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
    h.fields.pop_back();
    h.fields.push_back({"x-amz-trailer", "x-amz-checksum-crc32c"});
    h.signed_names = "content-encoding;host;x-amz-content-sha256;x-amz-date;"
                     "x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer";
    h.signature = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
    return h;
}

// The two examples have one body: 65536 bytes, 1024 bytes, and the end.
static std::string framed(const std::array<text, 3> &signatures, text trailers) {
    std::string body;
    const std::array<std::pair<text, std::size_t>, 3> chunks = {
        {{"10000", 65536}, {"400", 1024}, {"0", 0}}};
    for (std::size_t i = 0; i < chunks.size(); i++) {
        body.append(chunks[i].first).append(";chunk-signature=").append(signatures[i]);
        body.append("\r\n").append(chunks[i].second, 'a');
        body.append(chunks[i].second > 0 ? "\r\n" : "");
    }
    return body.append(trailers).append("\r\n");
}

// What the proof says of a body that comes in pieces of `step` bytes.
static error prove(verifier &v, const head &h, text body, std::size_t step) {
    const auto r = std::make_unique<request>();
    std::string authorization;
    body_proof proof;
    EXPECT(verify(v, h, *r, authorization) == error::none && r->sealed);
    EXPECT(proof.open(*r->sealed, r->content_sha256));
    aws_chunked decoder(&proof);
    while (!body.empty()) {
        text input = body.substr(0, step);
        body.remove_prefix(input.size());
        while (!input.empty()) {
            const auto content = decoder.next(input);
            if (!content)
                return error::incomplete_body;
            proof.add(*content);
            if (proof.wrong() != error::none)
                return proof.wrong();
        }
    }
    return decoder.is_done() ? proof.finish() : error::incomplete_body;
}

static void test_chunks(verifier &v) {
    constexpr std::array<text, 3> right = {
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"};
    const head h = chunk_example();
    std::string body = framed(right, "");
    EXPECT(body.size() == 66824);
    for (const std::size_t step : {std::size_t{1}, std::size_t{61}, body.size()})
        EXPECT(prove(v, h, body, step) == error::none);
    for (std::size_t i = 0; i < right.size(); i++) {
        auto wrong = right;
        wrong[i] = right[(i + 1) % right.size()];
        EXPECT(prove(v, h, framed(wrong, ""), 4096) == error::signature_mismatch);
        wrong[i] = "";
        EXPECT(prove(v, h, framed(wrong, ""), 4096) == error::signature_mismatch);
    }
    body[1000] = 'b';
    EXPECT(prove(v, h, body, 4096) == error::signature_mismatch);
    EXPECT(prove(v, h, text(body).substr(0, 500), 4096) == error::incomplete_body);
}

static void test_trailers(verifier &v) {
    constexpr std::array<text, 3> chunks = {
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"};
    const std::string trailer = "x-amz-checksum-crc32c:sOO8/Q==\r\n";
    const std::string signature =
        "x-amz-trailer-signature:"
        "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n";
    const head h = trailer_example();
    EXPECT(prove(v, h, framed(chunks, trailer + signature), 1000) == error::none);
    EXPECT(prove(v, h, framed(chunks, "X-Amz-Checksum-CRC32C: sOO8/Q== \r\n" + signature), 1) ==
           error::none);
    for (const std::string &bad : {trailer, signature, std::string(), signature + trailer,
                                   trailer + signature + "x-other:1\r\n"})
        EXPECT(prove(v, h, framed(chunks, bad), 1000) == error::signature_mismatch);
}

// The specification's presigned URL.
static error verify_url(verifier &v, text query, std::int64_t now_s) {
    const auto r = std::make_unique<request>();
    std::string target = "/test.txt?";
    target.append(query);
    r->reset();
    r->verb_name = "GET";
    r->target = target;
    EXPECT(r->route());
    v.begin_head();
    v.add_field("Host", host);
    return v.verify(*r, now_s);
}

static void test_presigned() {
    const std::string url =
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2F"
        "us-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&"
        "X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    verifier v(known);
    EXPECT(v.open());
    EXPECT(verify_url(v, url, day_s) == error::none);
    EXPECT(verify_url(v, url, day_s + 86400) == error::none);
    EXPECT(verify_url(v, url, day_s + 86401) == error::access_denied);
    EXPECT(verify_url(v, url, day_s - 901) == error::request_time_skewed);
    EXPECT(verify_url(v, url + "&a", day_s) == error::signature_mismatch);
    EXPECT(verify_url(v, url + "&X-Amz-Date=", day_s) == error::access_query);
    EXPECT(verify_url(v, "X-Amz-Signature=0", day_s) == error::access_query);
}

int main() {
    EXPECT(sha256::start());
    verifier v(known);
    EXPECT(v.open());
    test_hashes();
    test_basic_date();
    test_examples(v);
    test_refusals(v);
    test_queries();
    test_chunks(v);
    test_trailers(v);
    test_presigned();
    std::puts("signed: good");
    return 0;
}
