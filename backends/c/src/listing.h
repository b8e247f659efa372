// What the listings of a bucket share: their parameters, common prefixes, and one pass over the
// order of its keys, prefixes skipped by seeking.
#ifndef PAUSEMARK_LISTING_H
#define PAUSEMARK_LISTING_H
#include "s3.h"

#define MAX_KEYS 1000
#define TOKEN_BYTES_MAX (2 * (KEY_BYTES_MAX + 1))

struct listing;
// What differs.
struct listing_kind {
    struct text count_name, count_tag; // of the parameter and of its element
    // From `from` on, to l->contents and l->prefixes.
    enum store_result (*walk)(struct listing *l, struct text from);
    // A parameter that says where to start. Called once all others were read.
    void (*read_start)(struct listing *l, struct text name, struct text raw);
    void (*add_item)(struct listing *l, const struct listed *item); // of listing_walk_keys
    void (*answer)(struct connection *c, struct listing *l);
};

struct listing {
    const struct listing_kind *kind;
    struct request *request;
    bool version2, url_encoded, fetch_owner, truncated, bad, has_start, has_token, has_delimiter;
    struct text prefix, delimiter, start, token, after;
    struct text id_marker; // of a version or an upload
    uint64_t max_keys, count;
    struct document contents, prefixes;
    char token_key[KEY_BYTES_MAX + 1], decoded[2 * HEAD_BYTES_MAX]; // the query is read twice
    size_t decoded_n, last_n, last_id_n;
    char last_id[MULTIPART_ID_BYTES];
    char last[KEY_BYTES_MAX + 1], seek[KEY_BYTES_MAX + 2];
};

#define LISTING_OF_KEYS {"max-keys", 8}, {"MaxKeys", 7}, listing_walk_keys

void listing_serve(struct connection *c, struct request *r, const struct listing_kind *kind);
enum store_result listing_walk_keys(struct listing *l, struct text from);
// What a key is listed as: itself, or the common prefix that it is rolled up into.
struct text listing_roll_up(const struct listing *l, struct text key, bool *is_prefix);
// False when the page is full; otherwise `name` is on it, and l->last.
bool listing_take(struct listing *l, struct text name);
void listing_add_prefix(struct listing *l, struct text prefix); // to l->prefixes
// The parameter's value; sets l->bad when it is not UTF-8 in percent coding.
struct text listing_decode(struct listing *l, struct text value);
// Names are escaped, or percent-encoded when the client asked for that.
void listing_add_name(struct listing *l, struct document *d, struct text name);
void listing_add_element(struct listing *l, struct document *d, struct text tag, struct text value);
// From LastModified to StorageClass.
void listing_add_object(struct document *d, const struct listed *item, bool has_owner);
// The elements that a document of keys begins with (`root` is its tag), and those from the count to
// the end of every document.
void listing_begin(struct listing *l, struct document *d, struct text root);
void listing_end(struct connection *c, struct listing *l, struct document *d, struct text root);
#endif
