// Known answers for the pieces that hold no socket.
#include "aws_chunked.h"
#include "crc32c.h"
#include "request.h"
#include "slab.h"
#include "store.h"
#include "xml.h"
#include <stdio.h>
#include <stdlib.h>

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "error: unit: %s:%d: %s\n", __FILE__, __LINE__, #condition);           \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

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
    for (size_t i = 0; i < sizeof wire - 1; i++) {
        struct text input = {wire + i, 1}, piece;
        EXPECT(aws_chunked_next(&a, &input, &piece));
        memcpy(content + content_n, piece.p, piece.n);
        content_n += piece.n;
    }
    EXPECT(a.state == AWS_DONE && content_n == 5 && memcmp(content, "hello", 5) == 0);
    EXPECT(a.has_crc32 && memcmp(a.crc32, "NhCmhg==", 8) == 0);
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
    struct kept_headers kept = {.content_type = TEXT("text/plain")};
    struct text bucket = TEXT("bucket");
    struct object *found;
    struct walk walk = {0};
    EXPECT(store_create_bucket(bucket, 0) == STORE_OK);
    for (unsigned i = 0; i < 20000; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "%u", i * 7919 % 20000);
        struct object *o = object_create(&kept, 1, 5);
        EXPECT(o != NULL && object_append(o, "x", 1));
        EXPECT(store_put(bucket, (struct text){key, (size_t)n}, o, false) == STORE_OK);
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

int main(void) {
    slab_start(false); // malloc, so that ASan sees every block
    object_limit_store((uint64_t)64 << 20);
    EXPECT(store_start());
    crc32c_start();
    test_text();
    test_scan();
    test_aws_chunked();
    test_crc32c();
    test_xml();
    test_store();
    puts("unit: good");
    return 0;
}
