// Open multipart uploads, bodies that lie in the blocks of others, and the document that completes.
#include "multipart.h"
#include "expect.h"
#include "store.h"

#define BUCKET TEXT("bucket")
#define LIMIT_BYTES ((uint64_t)64 << 20)

static struct md5 md5;
static struct completion named;

static struct object *object_of(char byte, size_t n) {
    static const struct kept_headers kept = {.values = {{"a/b", 3}}};
    static char bytes[PART_BYTES_MIN];
    struct object *o = object_create(&kept, n, 0);
    memset(bytes, byte, n);
    EXPECT(o != NULL && object_append(o, bytes, n));
    md5_begin(&md5);
    md5_add(&md5, (struct text){bytes, n});
    md5_end(&md5, o->md5);
    return o;
}

static char byte_at(const struct object *o, uint64_t at) {
    return *object_slice(o, at).p;
}

static void test_shared_blocks(void) {
    uint64_t before = object_charged_by_all();
    struct object *source = object_of('s', 200000);
    struct object *copy = object_create_like(source, source->size_bytes, 0);
    EXPECT(object_share(copy, source) && copy->pieces != NULL);
    uint64_t one = object_charged_by_all() - before;
    object_release(source); // its room is free at once, its blocks are the copy's
    EXPECT(object_charged_by_all() - before == one / 2);
    struct object *again = object_create_like(copy, copy->size_bytes, 0);
    EXPECT(object_share(again, copy) && again->pieces[0].of == source);
    object_release(copy);
    EXPECT(byte_at(again, 199999) == 's' &&
           text_is(object_kept(again, KEPT_CONTENT_TYPE), TEXT("a/b")));
    object_release(again);
    source = object_of('s', 100); // small: not worth keeping its source for
    copy = object_create_like(source, 100, 0);
    EXPECT(object_share(copy, source) && copy->pieces == NULL && byte_at(copy, 99) == 's');
    object_release(source);
    object_release(copy);
    EXPECT(object_charged_by_all() == before);
}

static struct multipart_name begun(struct text key, char *id) {
    struct object *described = object_of('d', 0);
    EXPECT(multipart_begin(BUCKET, key, described, 7, id) == MULTIPART_OK);
    return (struct multipart_name){BUCKET, key, {id, MULTIPART_ID_BYTES}};
}

static void put(struct multipart_name name, unsigned number, char byte, size_t n) {
    struct object *part = object_of(byte, n);
    EXPECT(multipart_put_part(name, number, part) == MULTIPART_OK);
}

static void name_part(uint64_t number, const struct object *like) {
    static char etags[4][ETAG_BYTES_MAX];
    char *etag = etags[named.count];
    size_t n = object_put_etag(etag, like->md5, 0);
    named.parts[named.count++] = (struct completion_part){number, {etag, n}};
}

static enum multipart_result claim(struct multipart_name name, struct multipart **claimed,
                                   struct object **whole) {
    return multipart_claim(name, &named, LIMIT_BYTES, &md5, claimed, whole);
}

// A claim keeps everyone out, a refused write opens the upload again, a stored one ends it.
static void test_completing(void) {
    char id[MULTIPART_ID_BYTES];
    uint64_t before = object_charged_by_all();
    struct multipart_name name = begun(TEXT("key"), id);
    struct object *big = object_of('b', PART_BYTES_MIN), *small = object_of('s', 3), *whole;
    struct multipart *claimed = NULL;
    put(name, 2, 'b', PART_BYTES_MIN);
    put(name, PART_NUMBER_MAX, 's', 3);
    put(name, 3, 'x', 3);
    named.count = 0;
    name_part(3, small);
    EXPECT(claim(name, &claimed, &whole) == MULTIPART_INVALID_PART); // another tag
    named.count = 0;
    name_part(2, big);
    name_part(PART_NUMBER_MAX + 1, small);
    EXPECT(claim(name, &claimed, &whole) == MULTIPART_INVALID_PART);
    named.parts[1].number = PART_NUMBER_MAX;
    EXPECT(claim(name, &claimed, &whole) == MULTIPART_OK && claimed != NULL);
    EXPECT(!multipart_is_open(name) && multipart_abort(name) == MULTIPART_NONE);
    EXPECT(multipart_put_part(name, 1, small) == MULTIPART_NONE);
    object_release(whole);
    multipart_settle(claimed, false);
    EXPECT(multipart_is_open(name) && claim(name, &claimed, &whole) == MULTIPART_OK);
    multipart_settle(claimed, true);
    EXPECT(!multipart_is_open(name) && whole->parts == 2 &&
           whole->size_bytes == PART_BYTES_MIN + 3);
    EXPECT(byte_at(whole, PART_BYTES_MIN - 1) == 'b' && byte_at(whole, PART_BYTES_MIN) == 's');
    EXPECT(object_slice(whole, PART_BYTES_MIN + 2).n == 1);
    object_release(big);
    object_release(small);
    object_release(whole);
    EXPECT(object_charged_by_all() == before);
}

static void test_small_parts(void) {
    char id[MULTIPART_ID_BYTES];
    struct multipart_name name = begun(TEXT("key"), id);
    struct object *part = object_of('s', 3), *whole;
    struct multipart *claimed;
    put(name, 1, 's', 3);
    put(name, 2, 's', 3);
    named.count = 0;
    name_part(1, part);
    name_part(2, part);
    EXPECT(claim(name, &claimed, &whole) == MULTIPART_TOO_SMALL);
    named.count = 1;
    EXPECT(multipart_claim(name, &named, 2, &md5, &claimed, &whole) == MULTIPART_TOO_LARGE);
    EXPECT(multipart_abort(name) == MULTIPART_OK && multipart_abort(name) == MULTIPART_NONE);
    object_release(part);
}

// Also of one that is claimed, which whoever claimed it frees.
static void test_bucket_ends_its_uploads(void) {
    char ids[2][MULTIPART_ID_BYTES];
    uint64_t before = object_charged_by_all();
    struct multipart_name one = begun(TEXT("one"), ids[0]), other = begun(TEXT("other"), ids[1]);
    struct object *part = object_of('s', 3), *whole;
    struct multipart *claimed;
    put(one, 1, 's', 3);
    put(other, 1, 's', 3);
    named.count = 0;
    name_part(1, part);
    EXPECT(claim(one, &claimed, &whole) == MULTIPART_OK);
    EXPECT(store_delete_bucket(BUCKET) == STORE_OK && !multipart_is_open(other));
    EXPECT(store_create_bucket(BUCKET, 0) == STORE_OK && !multipart_is_open(one));
    object_release(whole);
    multipart_settle(claimed, false);
    EXPECT(!multipart_is_open(one));
    struct object *described = object_of('d', 0);
    EXPECT(multipart_begin(TEXT("none"), TEXT("k"), described, 7, ids[0]) == MULTIPART_NO_BUCKET);
    object_release(described);
    object_release(part);
    EXPECT(object_charged_by_all() == before);
}

static bool count_in_order(void *context, const struct listed_multipart *item) {
    static char last_key[8];
    static size_t last_n;
    EXPECT(text_compare((struct text){last_key, last_n}, item->key) <= 0 && item->begun_s == 7);
    memcpy(last_key, item->key.p, last_n = item->key.n);
    ++*(unsigned *)context;
    return true;
}

static void test_limit_and_order(void) {
    static char ids[MULTIPART_COUNT_MAX + 1][MULTIPART_ID_BYTES];
    struct object *described = object_of('d', 0);
    unsigned count = 0;
    for (unsigned i = 0; i < MULTIPART_COUNT_MAX; i++) {
        char key[8];
        int n = snprintf(key, sizeof key, "%u", i * 7919 % MULTIPART_COUNT_MAX / 2);
        begun((struct text){key, (size_t)n}, ids[i]);
    }
    EXPECT(multipart_begin(BUCKET, TEXT("k"), described, 7, ids[MULTIPART_COUNT_MAX]) ==
           MULTIPART_FULL);
    object_release(described);
    multipart_list(BUCKET, TEXT(""), count_in_order, &count);
    EXPECT(count == MULTIPART_COUNT_MAX);
    multipart_list(TEXT("other"), TEXT(""), count_in_order, &count);
    EXPECT(count == MULTIPART_COUNT_MAX);
    EXPECT(store_delete_bucket(BUCKET) == STORE_OK && object_charged_by_all() == 0);
}

static enum completion_result read(const char *text) {
    static char body[1024];
    size_t n = strlen(text);
    memcpy(body, text, n);
    return completion_read(&named, body, n);
}

#define ROOT(parts) "<CompleteMultipartUpload>" parts "</CompleteMultipartUpload>"
#define PART(number, etag) "<Part><PartNumber>" number "</PartNumber><ETag>" etag "</ETag></Part>"

static void test_completion(void) {
    EXPECT(read("<?xml version='1.0'?>\n<CompleteMultipartUpload xmlns='x'> <Part> <Other><ETag>z"
                "</ETag></Other><ETag>&quot;a<!-- -->b&#34;</ETag><PartNumber> 7 </PartNumber>"
                "</Part>" PART("70000", "") "</CompleteMultipartUpload>\n") == COMPLETION_GOOD);
    EXPECT(named.count == 2 && named.parts[0].number == 7 && named.parts[1].number == 70000);
    EXPECT(text_is(named.parts[0].etag, TEXT("ab")) && named.parts[1].etag.n == 0);
    EXPECT(read(ROOT(PART("1", "a") PART("1", "a"))) == COMPLETION_UNORDERED);
    static const char *const malformed[] = {"",
                                            "x" ROOT(PART("1", "a")),
                                            ROOT(""),
                                            ROOT(PART("", "a")),
                                            ROOT(PART("-1", "a")),
                                            ROOT(PART("1", "&none;")),
                                            ROOT("<Part><ETag>a</ETag></Part>"),
                                            ROOT("<Part><PartNumber>1</PartNumber></Part>"),
                                            ROOT(PART("1", "a")) ROOT(PART("2", "a")),
                                            "<Other>" PART("1", "a") "</Other>",
                                            "<CompleteMultipartUpload>" PART("1", "a")};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        EXPECT(read(malformed[i]) == COMPLETION_MALFORMED);
}

int main(void) {
    slab_start(SLAB_MALLOC); // malloc, so that ASan sees every block
    object_limit_store(LIMIT_BYTES);
    EXPECT(store_start() && store_create_bucket(BUCKET, 0) == STORE_OK);
    test_shared_blocks();
    test_completing();
    test_small_parts();
    test_bucket_ends_its_uploads();
    test_limit_and_order();
    test_completion();
    puts("multipart: good");
    return 0;
}
