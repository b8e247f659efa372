// Known answers for the pieces that hold no socket.
#include "auth.h"
#include "aws_chunked.h"
#include "checksum.h"
#include "crc32c.h"
#include "crc64nvme.h"
#include "expect.h"
#include "payload.h"
#include "request.h"
#include "slab.h"
#include "store.h"
#include "xml.h"

static void test_text(void) {
    char date[HTTP_DATE_BYTES];
    int64_t unix_s;
    uint8_t bytes[4];
    uint64_t number;
    text_put_http_date(date, 784111777);
    EXPECT(memcmp(date, "Sun, 06 Nov 1994 08:49:37 GMT", HTTP_DATE_BYTES) == 0);
    EXPECT(text_from_http_date((struct text){date, sizeof date}, &unix_s) && unix_s == 784111777);
    EXPECT(text_from_base64(TEXT("AAECAw=="), bytes, 4) && bytes[3] == 3);
    EXPECT(!text_from_base64(TEXT("AAECAw=x"), bytes, 4));
    EXPECT(text_from_basic_date(TEXT("19941106T084937Z"), &unix_s) && unix_s == 784111777);
    EXPECT(!text_from_basic_date(TEXT("20260231T000000Z"), &unix_s));
    EXPECT(!text_to_u64(TEXT("18446744073709551616"), &number));
    EXPECT(!text_is_utf8(TEXT("\xc0\xaf")) && text_is_utf8(TEXT("\xe2\x82\xac")));
}

static void test_scan(void) {
    size_t n;
    EXPECT(request_scan("GET / HTTP/1.1\r\n\r\nX", 19, &n) == HEAD_COMPLETE && n == 18);
    EXPECT(request_scan("GET / HTTP/1.1\n\n", 16, &n) == HEAD_BAD);
    EXPECT(request_scan("GET / HTTP/1.1\r\nA: \rb\r\n\r\n", 25, &n) == HEAD_BAD);
    EXPECT(request_scan("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 28, &n) == HEAD_BAD);
    EXPECT(request_scan("GET / HT", 8, &n) == HEAD_PARTIAL);
}

static void test_aws_chunked(void) {
    static const char wire[] = "5;chunk-signature=x\r\nhello\r\n0\r\n"
                               "x-amz-checksum-crc32:NhCmhg==\r\n\r\n";
    // One byte at a time: every state must survive a cut.
    struct aws_chunked a = {.state = AWS_SIZE};
    char content[8];
    size_t content_n = 0;
    unsigned chunks = 0, trailers = 0;
    for (size_t i = 0; i < sizeof wire - 1; i++) {
        struct text input = {wire + i, 1}, piece;
        enum aws_event event = aws_chunked_next(&a, &input, &piece);
        EXPECT(event != AWS_BAD);
        chunks += event == AWS_CHUNK_END;
        trailers += event == AWS_TRAILER_ONE && text_is(a.value, TEXT("NhCmhg=="));
        memcpy(content + content_n, piece.p, piece.n);
        content_n += piece.n;
    }
    EXPECT(a.state == AWS_DONE && content_n == 5 && memcmp(content, "hello", 5) == 0);
    EXPECT(chunks == 2 && trailers == 1);
}

static void test_checksums(void) {
    struct checksum_check c = {0};
    char base64[CHECKSUM_BASE64_BYTES_MAX];
    uint64_t value = crc64nvme(0, "123456789", 9);
    EXPECT(value == 0xae8b14860a799888u);
    EXPECT(crc64nvme(crc64nvme(0, "1", 1), "23456789", 8) == value);
    EXPECT(checksum_put(base64, CHECKSUM_CRC64NVME, value) == sizeof base64);
    EXPECT(checksum_expect(&c, CHECKSUM_CRC64NVME, (struct text){base64, 12}) == CHECKSUM_GOOD);
    EXPECT(checksum_expect(&c, CHECKSUM_CRC32C, TEXT("AAA=")) == CHECKSUM_MALFORMED);
    EXPECT(checksum_expect(&c, CHECKSUM_CRC32, TEXT("AAA=")) == CHECKSUM_OTHER);
    checksum_announce(&c, TEXT("x-amz-other, X-Amz-Checksum-Crc32c"));
    checksum_add(&c, TEXT("12345"));
    EXPECT(checksum_end_head(&c) == CHECKSUM_OTHER && checksum_end_trailer(&c) == CHECKSUM_MISSING);
    checksum_add(&c, TEXT("6789"));
    EXPECT(checksum_end_head(&c) == CHECKSUM_GOOD);
    checksum_take_trailer(&c, TEXT("x-amz-checksum-crc32"), TEXT("AAAAAA=="));
    EXPECT(checksum_end_trailer(&c) == CHECKSUM_MISSING);
    checksum_take_trailer(&c, TEXT("x-amz-checksum-crc32c"), TEXT("4waSgw=="));
    EXPECT(checksum_end_trailer(&c) == CHECKSUM_GOOD && !checksum_has(&c.computed, CHECKSUM_CRC32));
}

static void test_crc32c(void) {
    uint8_t bytes[67];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37);
    EXPECT(crc32c(0, "123456789", 9) == 0xe3069283 && crc32c(0, "", 0) == 0);
    EXPECT(crc32c_by_table(0, "123456789", 9) == 0xe3069283);
    // Every cut and every length: both ways agree, and a CRC goes on where it stopped.
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint32_t first = crc32c(0, bytes, cut);
        EXPECT(first == crc32c_by_table(0, bytes, cut));
        EXPECT(crc32c(first, bytes + cut, sizeof bytes - cut) == crc32c(0, bytes, sizeof bytes));
    }
}

// Test cases 1 and 6 of RFC 4231: a key shorter and one longer than a block.
static void test_hmac(void) {
    char key[131], hex[SHA256_HEX_BYTES];
    uint8_t mac[SHA256_BYTES];
    EVP_MD_CTX *context = sha256_create();
    EXPECT(context != NULL);
    memset(key, 0x0b, 20);
    sha256_hmac(context, (struct text){key, 20}, TEXT("Hi There"), mac);
    text_put_hex(hex, mac, sizeof mac);
    EXPECT(memcmp(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
                  sizeof hex) == 0);
    memset(key, 0xaa, sizeof key);
    sha256_hmac(context, (struct text){key, sizeof key},
                TEXT("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    text_put_hex(hex, mac, sizeof mac);
    EXPECT(memcmp(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
                  sizeof hex) == 0);
    EVP_MD_CTX_free(context);
}

#define EXAMPLE_S 1369353600 // 20130524T000000Z, of the examples in S3's documentation
#define EXAMPLE_CREDENTIAL                                                                         \
    "Authorization: AWS4-HMAC-SHA256 "                                                             \
    "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"

static enum error_code check_example(struct auth *a, const char *head, int64_t wall_s) {
    static struct request r;
    llhttp_t parser;
    request_parser_init(&parser);
    EXPECT(request_parse(&r, &parser, head, strlen(head)) && request_route(&r));
    return auth_check(a, &r, wall_s);
}

static void test_auth(struct auth *a) {
    static const char get[] =
        "GET /test.txt HTTP/1.1\r\nHost: examplebucket.s3.amazonaws.com\r\n" EXAMPLE_CREDENTIAL
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41\r\n"
        "Range: bytes=0-9\r\nx-amz-content-sha256: " SHA256_OF_NOTHING
        "\r\nx-amz-date: 20130524T000000Z\r\n\r\n";
    static const char list[] =
        "GET /?prefix=J&max-keys=2 HTTP/1.1\r\n"
        "Host: examplebucket.s3.amazonaws.com\r\n" EXAMPLE_CREDENTIAL
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7\r\n"
        "x-amz-content-sha256: " SHA256_OF_NOTHING "\r\nx-amz-date: 20130524T000000Z\r\n\r\n";
    static const char twice[] =
        "GET / HTTP/1.1\r\nHost: h\r\n" EXAMPLE_CREDENTIAL "SignedHeaders=host;host,Signature=0\r\n"
        "x-amz-content-sha256: " SHA256_OF_NOTHING "\r\nx-amz-date: 20130524T000000Z\r\n\r\n";
    static const char url[] =
        "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F"
        "20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
        "&X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404 HTTP/1.1\r\n"
        "Host: examplebucket.s3.amazonaws.com\r\n\r\n";
    EXPECT(check_example(a, url, EXAMPLE_S + 86400) == ERROR_NONE);
    EXPECT(check_example(a, url, EXAMPLE_S + 86401) == ERROR_ACCESS_DENIED);
    EXPECT(check_example(a, url, EXAMPLE_S - SKEW_S_MAX - 1) == ERROR_TIME_SKEWED);
    EXPECT(check_example(a, twice, EXAMPLE_S) == ERROR_ACCESS_FORM);
    EXPECT(check_example(a, get, EXAMPLE_S) == ERROR_NONE);
    EXPECT(check_example(a, list, EXAMPLE_S + SKEW_S_MAX) == ERROR_NONE);
    EXPECT(check_example(a, list, EXAMPLE_S + SKEW_S_MAX + 1) == ERROR_TIME_SKEWED);
    EXPECT(check_example(NULL, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0) == ERROR_NONE);
    EXPECT(check_example(a, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0) == ERROR_ACCESS_DENIED);
}

// The example of a body in signed chunks: 65536 and 1024 times "a".
static void test_chunk_seals(struct auth *a) {
    static const struct {
        size_t bytes;
        struct text signature;
    } chunks[] = {{65536, {"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", 64}},
                  {1024, {"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", 64}},
                  {0, {"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9", 64}}};
    static const char put[] =
        "PUT /examplebucket/chunkObject.txt HTTP/1.1\r\nHost: s3.amazonaws.com\r\n"
        "x-amz-date: 20130524T000000Z\r\n"
        "x-amz-storage-class: REDUCED_REDUNDANCY\r\n" EXAMPLE_CREDENTIAL
        "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
        "x-amz-decoded-content-length;x-amz-storage-class,"
        "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\r\n"
        "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\n"
        "Content-Encoding: aws-chunked\r\nx-amz-decoded-content-length: 66560\r\n"
        "Content-Length: 66824\r\n\r\n";
    static char data[65536];
    struct payload p = {.sha256 = sha256_create()};
    memset(data, 'a', sizeof data);
    EXPECT(check_example(a, put, EXAMPLE_S) == ERROR_NONE);
    payload_begin(&p, TEXT("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), auth_seal(a));
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        payload_add(&p, (struct text){data, chunks[i].bytes});
        EXPECT(payload_end_chunk(&p, chunks[i].signature));
    }
    payload_add(&p, (struct text){data, 1});
    EXPECT(!payload_end_chunk(&p, chunks[2].signature) && !payload_end_chunk(&p, TEXT("")));
    EVP_MD_CTX_free(p.sha256);
}

static void test_signatures(void) {
    struct options options = {.verify = true,
                              .credential_count = 1,
                              .credentials = {{TEXT("AKIAIOSFODNN7EXAMPLE"),
                                               TEXT("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")}}};
    EXPECT(sha256_start());
    struct auth *a = auth_create(&options);
    EXPECT(a != NULL);
    test_hmac();
    test_auth(a);
    test_chunk_seals(a);
    auth_destroy(a);
    sha256_stop();
}

static void test_xml(void) {
    char decoded[32];
    size_t n;
    struct xml x = {.rest = TEXT("<?xml?><a:Key>b&amp;c</a:Key>")};
    EXPECT(xml_next(&x) == XML_OPEN && text_is(x.name, TEXT("Key")));
    EXPECT(xml_next(&x) == XML_TEXT && xml_decode(x.raw, decoded, &n) && n == 3);
    EXPECT(xml_next(&x) == XML_CLOSE && xml_next(&x) == XML_END);
    EXPECT(xml_decode(TEXT("&#x20AC;&#1;"), decoded, &n) && n == 4);
    EXPECT(!xml_decode(TEXT("&nbsp;"), decoded, &n));
}

struct walk {
    size_t count;
    char last[16];
    size_t last_n;
};

static enum visit in_order(void *context, const struct listed *item, struct text *seek) {
    struct walk *w = context;
    (void)seek;
    EXPECT(text_compare((struct text){w->last, w->last_n}, item->key) < 0);
    memcpy(w->last, item->key.p, w->last_n = item->key.n);
    w->count++;
    return VISIT_NEXT;
}

static void test_store(void) {
    struct kept_headers kept = {.values = {TEXT("text/plain")}};
    struct text bucket = TEXT("bucket");
    struct object *found;
    struct walk walk = {0};
    EXPECT(store_create_bucket(bucket, 0) == STORE_OK);
    for (unsigned i = 0; i < 20000; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "%u", i * 7919 % 20000);
        struct object *o = object_create(&kept, 1, 5);
        EXPECT(o != NULL && object_append(o, "x", 1));
        EXPECT(store_put(bucket, (struct text){key, (size_t)n}, o, NULL, NULL) == STORE_OK);
    }
    EXPECT(store_list(bucket, TEXT(""), in_order, &walk) == STORE_OK && walk.count == 20000);
    EXPECT(store_get(bucket, TEXT("19999"), &found) == STORE_OK);
    object_release(found);
    EXPECT(store_get(bucket, TEXT("20000"), &found) == STORE_NO_KEY);
    EXPECT(store_delete_bucket(bucket) == STORE_NOT_EMPTY);
    for (unsigned i = 0; i < 20000; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "%u", i);
        EXPECT(store_delete(bucket, (struct text){key, (size_t)n}) == STORE_OK);
    }
    EXPECT(store_delete_bucket(bucket) == STORE_OK);
    // All charges were given back, or this would not fit.
    struct object *whole = object_create(&kept, ((uint64_t)64 << 20) - 4096, 0);
    EXPECT(whole != NULL);
    EXPECT(object_create(&kept, 8192, 0) == NULL);
    object_release(whole);
}

// The kernel's flags of the mapping that `at` lies in say whether it was advised.
static bool is_advised_huge(const void *at) {
    char line[512];
    bool is_here = false, is_advised = false;
    FILE *maps = fopen("/proc/self/smaps", "r");
    EXPECT(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long first, end;
        if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
            is_here = (uintptr_t)at >= first && (uintptr_t)at < end;
        else if (is_here && strncmp(line, "VmFlags:", 8) == 0)
            is_advised = strstr(line, " hg") != NULL;
    }
    fclose(maps);
    return is_advised;
}

static void test_slabs(void) {
    EXPECT(slab_start(SLAB_POOL));
    char *block = slab_take(65536);
    EXPECT(block != NULL && !is_advised_huge(block));
    slab_give(block, 65536);
    EXPECT(slab_take(65536) == block);
    if (!slab_start(SLAB_POOL_OF_HUGE))
        return;               // a kernel without them
    block = slab_take(49152); // the first of its class is the first of a mapping
    EXPECT(block != NULL && (uintptr_t)block % ((size_t)2 << 20) == 0);
    EXPECT(is_advised_huge(block) && is_advised_huge(block + ((size_t)2 << 20) - 1));
}

int main(void) {
    test_slabs();
    slab_start(SLAB_MALLOC); // malloc, so that ASan sees every block
    object_limit_store((uint64_t)64 << 20);
    EXPECT(store_start());
    checksum_start();
    test_text();
    test_scan();
    test_aws_chunked();
    test_crc32c();
    test_checksums();
    test_signatures();
    test_xml();
    test_store();
    puts("unit: good");
    return 0;
}
