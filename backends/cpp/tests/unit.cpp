// Known answers for the pieces that hold no socket.
#include "aws_chunked.h"
#include "checksums.h"
#include "crc64nvme.h"
#include "date.h"
#include "exchange.h"
#include "expect.h"
#include "request.h"
#include "store.h"
#include "xml_reader.h"
#include "xml_writer.h"
#include <iterator>

using namespace pausemark;

static void test_text() {
    std::array<std::uint8_t, 4> bytes{};
    std::array<char, 8> coded{};
    char decoded[16];
    EXPECT(from_base64("AAECAw==", bytes) && bytes[3] == 3);
    EXPECT(!from_base64("AAECAw=x", bytes) && !from_base64("AAECAw", bytes));
    put_base64(coded.data(), bytes);
    EXPECT(view(coded) == "AAECAw==");
    EXPECT(!to_u64("18446744073709551616") && !to_u64("") && !to_u64("+1") && !to_u64("1 "));
    EXPECT(to_u64("18446744073709551615") == UINT64_MAX);
    EXPECT(!is_utf8("\xc0\xaf") && !is_utf8("\xed\xa0\x80") && is_utf8("\xe2\x82\xac"));
    EXPECT(percent_decode("a%2fb+", decoded) == "a/b+");
    EXPECT(!percent_decode("a%2", decoded) && !percent_decode("%zz", decoded));
    EXPECT(trim(" \t a b\t") == "a b" && trim(" \t").empty());
    EXPECT(is_nocase("ETag", "etag") && !is_nocase("ETag", "etags"));
}

static void test_date() {
    const http_date date = to_http_date(784111777);
    EXPECT(view(date) == "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT(from_http_date(view(date)) == 784111777);
    EXPECT(!from_http_date("Sun, 06 Nov 1994 24:49:37 GMT") && !from_http_date({}));
    EXPECT(view(to_iso_date(951782399)) == "2000-02-28T23:59:59.000Z");
    for (std::int64_t s = 0; s < 4'000'000'000; s += 86'399 * 17)
        EXPECT(from_http_date(view(to_http_date(s))) == s);
}

static void test_scan() {
    const head_scan whole = scan_head("GET / HTTP/1.1\r\n\r\nX");
    EXPECT(whole.state == head_state::complete && whole.head_n == 18);
    EXPECT(scan_head("GET / HTTP/1.1\n\n").state == head_state::bad);
    EXPECT(scan_head("GET / HTTP/1.1\r\nA: \rb\r\n\r\n").state == head_state::bad);
    EXPECT(scan_head("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n").state == head_state::bad);
    EXPECT(scan_head("GET / HT").state == head_state::partial);
    EXPECT(scan_head("GET / HTTP/1.1\r").state == head_state::partial);
    EXPECT(scan_head("GET /" + std::string(head_bytes_max, 'a')).state == head_state::too_large);
}

static error read_head(exchange &x, text head) {
    x.reset();
    return x.read_head(head);
}

// What Beast takes and the contract does not.
static void test_heads(exchange &x) {
    EXPECT(read_head(x, "GET /b/k%20?a=1 HTTP/1.1\r\nhost: h\r\nRange: bytes=0-\r\n\r\n") ==
           error::none);
    EXPECT(x.asked.route() && x.asked.bucket == "b" && x.asked.key == "k ");
    EXPECT(x.asked.query == "a=1" && x.asked.range == "bytes=0-" && x.asked.keep_alive);
    EXPECT(x.asked.authorization.data() == nullptr && x.parser->is_done());
    for (const text lines :
         {"Transfer-Encoding: identity\r\n", "Transfer-Encoding: gzip, chunked\r\n",
          "Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5, 5\r\n",
          "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Host: again\r\n", "A : b\r\n"}) {
        const std::string head = "PUT /b/k HTTP/1.1\r\nHost: h\r\n" + std::string(lines) + "\r\n";
        EXPECT(read_head(x, head) == error::bad_request);
    }
    EXPECT(read_head(x, "GET / HTTP/1.1\r\n\r\n") == error::bad_request);
    EXPECT(read_head(x, "GET / HTTP/2.0\r\nHost: h\r\n\r\n") == error::bad_request);
    EXPECT(read_head(x, "FETCH / HTTP/1.1\r\nHost: h\r\n\r\n") == error::method_not_allowed);
    EXPECT(read_head(x, "GET / HTTP/1.0\r\nHost: h\r\n\r\n") == error::none);
    EXPECT(!x.asked.keep_alive);
}

static void test_answers(exchange &x) {
    EXPECT(read_head(x, "GET / HTTP/1.1\r\nHost: h\r\n\r\n") == error::none);
    x.at.output_n = 0;
    answer(x, 200).with("ETag", "\"e\"").empty();
    const text sent(x.at.output.data(), x.at.output_n);
    std::size_t last = 0;
    for (const text name : {"HTTP/1.1 200 OK\r\n", "Date: ", "Server: pausemark\r\n",
                            "x-amz-request-id: ", "ETag: \"e\"\r\n", "Content-Length: 0\r\n\r\n"}) {
        const std::size_t at = sent.find(name);
        EXPECT(at != text::npos && at >= last);
        last = at;
    }
    x.at.output_n = 0;
    answer_error(x, error::no_such_key, "/b/<k>");
    EXPECT(text(x.at.output.data(), x.at.output_n).find("<Resource>/b/&lt;k&gt;</Resource>") !=
           text::npos);
    answer(x, 200).document(std::string(inline_body_bytes_max + 1, 'x'));
    EXPECT(x.is_sending());
    x.at.output_n = 0;
}

static void test_aws_chunked() {
    constexpr text wire =
        "5;chunk-signature=x\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
    // One byte at a time: every state must survive a cut.
    aws_chunked a;
    std::string content;
    for (std::size_t i = 0; i < wire.size(); i++) {
        text input = wire.substr(i, 1);
        const auto piece = a.next(input);
        EXPECT(piece && input.empty());
        content += *piece;
    }
    EXPECT(a.is_done() && content == "hello" && a.trailer(crc32_index) == "NhCmhg==");
    text more = "x";
    EXPECT(!a.next(more));
    for (text bad : {"5\nhello\r\n", "g\r\n", ";x\r\n"}) {
        aws_chunked b;
        EXPECT(!b.next(bad));
    }
}

static void test_crc64nvme() {
    EXPECT(crc64nvme(0, "123456789") == 0xae8b14860a799888u);
    EXPECT(crc64nvme(0, "") == 0);
    std::string bytes;
    for (int i = 0; i < 100; i++) {
        bytes += static_cast<char>(i * 37);
        std::uint64_t one_by_one = 0; // never takes a step of eight
        for (const char &c : bytes)
            one_by_one = crc64nvme(one_by_one, text(&c, 1));
        EXPECT(crc64nvme(0, bytes) == one_by_one);
    }
}

static error check_header(text crc32c, text content) {
    const auto r = std::make_unique<request>();
    checksums sums;
    r->reset();
    r->read_header("x-amz-checksum-crc32c", crc32c);
    if (const error wrong = sums.open(*r, false); wrong != error::none)
        return wrong;
    sums.add(content);
    sums.finish();
    return sums.verify_headers();
}

static void test_checksums() {
    EXPECT(check_header("K5VXWw==", "kept checksum") == error::none);
    EXPECT(check_header("K5VXWw==", "other content") == error::bad_digest);
    for (const text bad : {"", "K5VXWw", "K5VXWw=", "*5VXWw==", "K5VXWwA="})
        EXPECT(check_header(bad, "kept checksum") == error::invalid_request);
    // Kept before the metadata, in the order of the kinds, with room for what is computed.
    const auto r = std::make_unique<request>();
    checksums sums;
    r->reset();
    r->read_header("x-amz-meta-a", "1");
    r->read_header("x-amz-checksum-crc32c", "K5VXWw==");
    r->read_header("x-amz-trailer", "x-other, X-Amz-Checksum-CRC64NVME");
    EXPECT(sums.open(*r, true) == error::none);
    sums.keep(r->kept);
    const object_ref o = object::create(r->kept, 0, 1);
    EXPECT(o != nullptr && r->kept.metadata_count == 3);
    sums.add("kept ");
    sums.add("checksum");
    sums.finish();
    sums.set_kept(*o);
    std::size_t at = 0;
    for (const auto &[name, value] :
         {header{"x-amz-checksum-crc32c", "K5VXWw=="},
          header{"x-amz-checksum-crc64nvme", "jPG2ztM5/8M="}, header{"x-amz-meta-a", "1"}}) {
        header found;
        EXPECT(o->next_metadata(at, found) && found.name == name && found.value == value);
    }
}

static void test_xml() {
    std::string decoded;
    xml::reader x("<?xml?><!-- c --><a:Key>b&amp;c</a:Key><e/>");
    EXPECT(x.next() == xml::token::open && x.name() == "Key");
    EXPECT(x.next() == xml::token::text && xml::decode(x.raw(), decoded) && decoded == "b&c");
    EXPECT(x.next() == xml::token::close && x.next() == xml::token::open && x.name() == "e");
    EXPECT(x.next() == xml::token::close && x.next() == xml::token::end);
    decoded.clear();
    EXPECT(xml::decode("&#x20AC;&#1;&#128512;", decoded));
    EXPECT(decoded == "\xe2\x82\xac\x01\xf0\x9f\x98\x80");
    EXPECT(!xml::decode("&nbsp;", decoded) && !xml::decode("&#xD800;", decoded));
    EXPECT(xml::reader("<!DOCTYPE x>").next() == xml::token::error);
    std::string written;
    xml::add_escaped(written, text("<&>\"'\r\x01", 7));
    EXPECT(written == "&lt;&amp;&gt;&quot;&apos;&#13;&#x01;");
}

static object_ref make_object(text body) {
    kept_headers kept;
    kept.values[kept_header::content_type] = "text/plain";
    object_ref o = object::create(kept, length_unknown, 5);
    EXPECT(o != nullptr && o->append(body));
    o->seal();
    return o;
}

static void test_object() {
    kept_headers kept;
    kept.values[kept_header::content_type] = "a/b";
    kept.values[kept_header::cache_control] = "c";
    kept.values[kept_header::content_encoding] = "d";
    kept.metadata[kept.metadata_count++] = {"X-Amz-Meta-A", "1"};
    kept.metadata[kept.metadata_count++] = {"x-amz-meta-b", ""};
    const object_ref o = object::create(kept, 200'000, 3);
    EXPECT(o != nullptr && o->append(std::string(100'000, 'x')));
    EXPECT(o->append(std::string(100'000, 'y')) && o->size_bytes() == 200'000);
    EXPECT(o->slice(99'999).substr(0, 2) == "xy" && o->slice(196'608).size() == 3392);
    EXPECT(o->kept()[kept_header::content_type] == "a/b" &&
           o->kept()[kept_header::content_encoding] == "d");
    header found;
    std::size_t at = 0;
    EXPECT(o->next_metadata(at, found) && found.name == "x-amz-meta-a" && found.value == "1");
    EXPECT(o->next_metadata(at, found) && found.value.empty());
    EXPECT(!o->next_metadata(at, found));
}

struct in_order final : store::key_visitor {
    std::size_t count = 0;
    std::string last;
    store::step visit(const store::listed &item, text &) override {
        EXPECT(last < item.key);
        last = item.key;
        count++;
        return store::step::next;
    }
};

static void test_store() {
    constexpr unsigned count = 20000;
    in_order walk;
    EXPECT(store::create_bucket("bucket", 0) == store::result::ok);
    for (unsigned i = 0; i < count; i++) {
        const std::string key = std::to_string(i * 7919 % count);
        EXPECT(store::put("bucket", key, make_object("x"), {}) == store::result::ok);
    }
    const write_conditions absent{{}, "*"}, present{"*", {}};
    EXPECT(store::put("bucket", "0", make_object("y"), absent) == store::result::unmet);
    EXPECT(store::put("bucket", "no", make_object("y"), present) == store::result::no_key);
    EXPECT(store::list("bucket", "", walk) == store::result::ok && walk.count == count);
    EXPECT(store::get("bucket", "19999").found->slice(0) == "x");
    EXPECT(store::get("bucket", "20000").outcome == store::result::no_key);
    EXPECT(store::get("other", "1").outcome == store::result::no_bucket);
    EXPECT(store::delete_bucket("bucket") == store::result::not_empty);
    for (unsigned i = 0; i < count; i++)
        EXPECT(store::remove("bucket", std::to_string(i)) == store::result::ok);
    EXPECT(store::remove("bucket", "1") == store::result::no_key);
    EXPECT(store::delete_bucket("bucket") == store::result::ok);
    // All charges were given back, or this would not fit.
    const kept_headers kept{};
    const object_ref whole = object::create(kept, (std::uint64_t{64} << 20) - 4096, 0);
    EXPECT(whole != nullptr && object::create(kept, 8192, 0) == nullptr);
}

int main() {
    const options limits;
    slab::start(false); // malloc, so that ASan sees every block
    object::limit_store(std::uint64_t{64} << 20);
    EXPECT(store::start() && sha256::start());
    const auto at = std::make_unique<desk>(limits, 0);
    exchange x(*at);
    test_text();
    test_date();
    test_scan();
    test_heads(x);
    test_answers(x);
    test_aws_chunked();
    test_crc64nvme();
    test_checksums();
    test_xml();
    test_object();
    test_store();
    std::puts("unit: good");
    return 0;
}
