// ListObjects in both versions: where they start, and what their documents hold.
#include "listing.h"

// The token is the hex of the last key or common prefix that was listed.
static void read_token(struct listing *l, struct text token) {
    l->token = token;
    l->has_token = true;
    if (token.n == 0 || token.n % 2 != 0 || token.n > TOKEN_BYTES_MAX) {
        l->bad = true;
        return;
    }
    for (size_t i = 0; i < token.n; i += 2) {
        int high = text_hex_digit(token.p[i]), low = text_hex_digit(token.p[i + 1]);
        if (high < 0 || low < 0) {
            l->bad = true;
            return;
        }
        l->token_key[i / 2] = (char)(high * 16 + low);
    }
    l->after = (struct text){l->token_key, token.n / 2};
}

// start-after, continuation-token and marker depend on the version, which may come behind them.
static void read_start(struct listing *l, struct text name, struct text raw) {
    bool start = text_is(name, l->version2 ? TEXT("start-after") : TEXT("marker"));
    bool token = l->version2 && text_is(name, TEXT("continuation-token"));
    if (start) {
        l->start = listing_decode(l, raw);
        l->has_start = true;
        if (!l->has_token)
            l->after = l->start;
    } else if (token) {
        read_token(l, listing_decode(l, raw));
    }
}

static void add_contents(struct listing *l, const struct listed *item) {
    DOCUMENT_ADD(&l->contents, "<Contents><Key>");
    listing_add_name(l, &l->contents, item->key);
    DOCUMENT_ADD(&l->contents, "</Key>");
    listing_add_object(&l->contents, item, !l->version2 || l->fetch_owner);
    DOCUMENT_ADD(&l->contents, "</Contents>");
}

static void add_version2(struct listing *l, struct document *d) {
    char token[TOKEN_BYTES_MAX];
    if (l->has_start)
        listing_add_element(l, d, TEXT("StartAfter"), l->start);
    if (l->has_token)
        listing_add_element(l, d, TEXT("ContinuationToken"), l->token);
    if (l->truncated) {
        text_put_hex(token, (const uint8_t *)l->last, l->last_n);
        listing_add_element(l, d, TEXT("NextContinuationToken"),
                            (struct text){token, 2 * l->last_n});
    }
    DOCUMENT_ADD(d, "<KeyCount>");
    document_add_u64(d, l->count);
    DOCUMENT_ADD(d, "</KeyCount>");
}

static void answer_listing(struct connection *c, struct listing *l) {
    struct document d = {0};
    listing_begin(l, &d, TEXT("ListBucketResult"));
    if (l->version2) {
        add_version2(l, &d);
    } else {
        listing_add_element(l, &d, TEXT("Marker"), l->start);
        if (l->truncated)
            listing_add_element(l, &d, TEXT("NextMarker"), (struct text){l->last, l->last_n});
    }
    listing_end(c, l, &d, TEXT("ListBucketResult"));
}

void s3_list_objects(struct connection *c, struct request *r) {
    static const struct listing_kind kind = {LISTING_OF_KEYS, read_start, add_contents,
                                             answer_listing};
    listing_serve(c, r, &kind);
}
