// ListObjects in both versions: one pass over the bucket's order, common prefixes skipped by
// seeking.
#include "s3.h"
#include <stdlib.h>

#define MAX_KEYS 1000
#define TOKEN_BYTES_MAX (2 * (KEY_BYTES_MAX + 1))

struct listing {
    struct request *request;
    bool version2, url_encoded, fetch_owner, truncated, bad, has_start, has_token, has_delimiter;
    struct text prefix, delimiter, start, token, after;
    uint64_t max_keys, count;
    struct document contents, prefixes;
    char token_key[KEY_BYTES_MAX + 1], decoded[2 * HEAD_BYTES_MAX]; // the query is read twice
    size_t decoded_n, last_n, seek_n;
    char last[KEY_BYTES_MAX + 1], seek[KEY_BYTES_MAX + 2];
};

static struct text decode(struct listing *l, struct text value) {
    size_t n = 0;
    char *to = l->decoded + l->decoded_n; // decoding only shrinks
    // A query is a form: there '+' is a blank, unlike in a path.
    for (size_t i = 0; i < value.n; i++)
        to[i] = (char)(value.p[i] == '+' ? ' ' : value.p[i]);
    if (!text_percent_decode((struct text){to, value.n}, to, &n) ||
        !text_is_utf8((struct text){to, n}))
        l->bad = true;
    l->decoded_n += n;
    return (struct text){to, n};
}

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

static void read_parameter(struct listing *l, struct text name, struct text raw) {
    struct text value = decode(l, raw);
    if (text_is(name, TEXT("list-type"))) {
        l->version2 = text_is(value, TEXT("2"));
    } else if (text_is(name, TEXT("prefix"))) {
        l->prefix = value;
    } else if (text_is(name, TEXT("delimiter"))) {
        l->delimiter = value;
        l->has_delimiter = value.n > 0;
    } else if (text_is(name, TEXT("max-keys"))) {
        l->bad = l->bad || !text_to_u64(value, &l->max_keys) || l->max_keys > INT32_MAX;
        l->max_keys = l->max_keys > MAX_KEYS ? MAX_KEYS : l->max_keys;
    } else if (text_is(name, TEXT("encoding-type"))) {
        l->url_encoded = text_is(value, TEXT("url"));
        l->bad = l->bad || !l->url_encoded;
    } else if (text_is(name, TEXT("fetch-owner"))) {
        l->fetch_owner = text_is(value, TEXT("true"));
    }
}

// start-after, continuation-token and marker depend on the version, which may come behind them.
static void read_start(struct listing *l, struct text name, struct text raw) {
    bool start = text_is(name, l->version2 ? TEXT("start-after") : TEXT("marker"));
    bool token = l->version2 && text_is(name, TEXT("continuation-token"));
    if (start) {
        l->start = decode(l, raw);
        l->has_start = true;
        if (!l->has_token)
            l->after = l->start;
    } else if (token) {
        read_token(l, decode(l, raw));
    }
}

static void read_query(struct listing *l) {
    struct text name, value, rest = l->request->query;
    l->max_keys = MAX_KEYS;
    while (request_parameter(&rest, &name, &value))
        read_parameter(l, name, value);
    rest = l->request->query;
    while (request_parameter(&rest, &name, &value))
        read_start(l, name, value);
}

static void add_name(struct listing *l, struct document *d, struct text name) {
    if (l->url_encoded)
        document_add_url(d, name);
    else
        document_add_escaped(d, name);
}

static void add_contents(struct listing *l, const struct listed *item) {
    struct document *d = &l->contents;
    char date[ISO_DATE_BYTES], etag[32];
    text_put_iso_date(date, item->modified_s);
    text_put_hex(etag, item->md5, 16);
    DOCUMENT_ADD(d, "<Contents><Key>");
    add_name(l, d, item->key);
    DOCUMENT_ADD(d, "</Key><LastModified>");
    document_add(d, (struct text){date, sizeof date});
    DOCUMENT_ADD(d, "</LastModified><ETag>&quot;");
    document_add(d, (struct text){etag, sizeof etag});
    DOCUMENT_ADD(d, "&quot;</ETag><Size>");
    document_add_u64(d, item->size_bytes);
    DOCUMENT_ADD(d, "</Size>");
    if (!l->version2 || l->fetch_owner)
        DOCUMENT_ADD(d, "<Owner><ID>pausemark</ID><DisplayName>pausemark</DisplayName></Owner>");
    DOCUMENT_ADD(d, "<StorageClass>STANDARD</StorageClass></Contents>");
}

static void add_common_prefix(struct listing *l, struct text prefix) {
    DOCUMENT_ADD(&l->prefixes, "<CommonPrefixes><Prefix>");
    add_name(l, &l->prefixes, prefix);
    DOCUMENT_ADD(&l->prefixes, "</Prefix></CommonPrefixes>");
}

// The first text in byte order that does not start with `prefix`. UTF-8 has no 0xff, so the last
// byte can always be raised.
static struct text after_prefix(struct listing *l, struct text prefix) {
    memcpy(l->seek, prefix.p, prefix.n);
    l->seek[prefix.n - 1] = (char)(l->seek[prefix.n - 1] + 1);
    return (struct text){l->seek, prefix.n};
}

static enum visit visit(void *context, const struct listed *item, struct text *seek) {
    struct listing *l = context;
    struct text name = item->key;
    size_t at;
    bool is_prefix = false;
    if (!text_starts(item->key, l->prefix))
        return VISIT_STOP;
    if (l->has_delimiter && text_find(item->key, l->delimiter, l->prefix.n, &at)) {
        name.n = at + l->delimiter.n;
        is_prefix = true;
    }
    // Listed before: a key at the start itself, or a common prefix at or before it.
    if (l->after.n > 0 && text_compare(name, l->after) <= 0) {
        if (!is_prefix)
            return VISIT_NEXT;
        *seek = after_prefix(l, name);
        return VISIT_SEEK;
    }
    if (l->count == l->max_keys) {
        l->truncated = l->max_keys > 0;
        return VISIT_STOP;
    }
    l->count++;
    memcpy(l->last, name.p, name.n);
    l->last_n = name.n;
    if (!is_prefix) {
        add_contents(l, item);
        return VISIT_NEXT;
    }
    add_common_prefix(l, name);
    *seek = after_prefix(l, name);
    return VISIT_SEEK;
}

static void add_element(struct listing *l, struct document *d, struct text tag, struct text value) {
    DOCUMENT_ADD(d, "<");
    document_add(d, tag);
    DOCUMENT_ADD(d, ">");
    add_name(l, d, value);
    DOCUMENT_ADD(d, "</");
    document_add(d, tag);
    DOCUMENT_ADD(d, ">");
}

static void add_version2(struct listing *l, struct document *d) {
    char token[TOKEN_BYTES_MAX];
    if (l->has_start)
        add_element(l, d, TEXT("StartAfter"), l->start);
    if (l->has_token)
        add_element(l, d, TEXT("ContinuationToken"), l->token);
    if (l->truncated) {
        text_put_hex(token, (const uint8_t *)l->last, l->last_n);
        add_element(l, d, TEXT("NextContinuationToken"), (struct text){token, 2 * l->last_n});
    }
    DOCUMENT_ADD(d, "<KeyCount>");
    document_add_u64(d, l->count);
    DOCUMENT_ADD(d, "</KeyCount>");
}

static void answer_listing(struct connection *c, struct listing *l) {
    struct document d = {0};
    DOCUMENT_ADD(&d, XML_DECLARATION "<ListBucketResult" XML_NAMESPACE "><Name>");
    document_add_escaped(&d, l->request->bucket);
    DOCUMENT_ADD(&d, "</Name>");
    add_element(l, &d, TEXT("Prefix"), l->prefix);
    if (l->version2) {
        add_version2(l, &d);
    } else {
        add_element(l, &d, TEXT("Marker"), l->start);
        if (l->truncated)
            add_element(l, &d, TEXT("NextMarker"), (struct text){l->last, l->last_n});
    }
    DOCUMENT_ADD(&d, "<MaxKeys>");
    document_add_u64(&d, l->max_keys);
    DOCUMENT_ADD(&d, "</MaxKeys>");
    if (l->has_delimiter)
        add_element(l, &d, TEXT("Delimiter"), l->delimiter);
    if (l->url_encoded)
        DOCUMENT_ADD(&d, "<EncodingType>url</EncodingType>");
    document_add(&d, l->truncated ? TEXT("<IsTruncated>true</IsTruncated>")
                                  : TEXT("<IsTruncated>false</IsTruncated>"));
    document_add(&d, (struct text){l->contents.p, l->contents.n});
    document_add(&d, (struct text){l->prefixes.p, l->prefixes.n});
    DOCUMENT_ADD(&d, "</ListBucketResult>");
    d.failed = d.failed || l->contents.failed || l->prefixes.failed;
    answer_document(c, &d);
}

void s3_list_objects(struct connection *c, struct request *r) {
    struct listing *l = calloc(1, sizeof *l); // 22 KiB: too much for a stack that serves all
    if (l == NULL) {
        answer_error(c, ERROR_INTERNAL, r->path);
        return;
    }
    l->request = r;
    read_query(l);
    struct text from = text_compare(l->after, l->prefix) > 0 ? l->after : l->prefix;
    if (l->bad)
        answer_error(c, ERROR_INVALID_ARGUMENT, r->path);
    else if (store_list(r->bucket, from, visit, l) == STORE_NO_BUCKET)
        answer_error(c, ERROR_NO_SUCH_BUCKET, r->path);
    else
        answer_listing(c, l);
    free(l->contents.p);
    free(l->prefixes.p);
    free(l);
}
