// Parameters, the walk over the bucket's order, and the parts of the document that never differ.
#include "listing.h"
#include <stdlib.h>

struct text listing_decode(struct listing *l, struct text value) {
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

static void read_parameter(struct listing *l, struct text name, struct text raw) {
    struct text value = listing_decode(l, raw);
    if (text_is(name, TEXT("list-type"))) {
        l->version2 = text_is(value, TEXT("2"));
    } else if (text_is(name, TEXT("prefix"))) {
        l->prefix = value;
    } else if (text_is(name, TEXT("delimiter"))) {
        l->delimiter = value;
        l->has_delimiter = value.n > 0;
    } else if (text_is(name, l->kind->count_name)) {
        l->bad = l->bad || !text_to_u64(value, &l->max_keys) || l->max_keys > INT32_MAX;
        l->max_keys = l->max_keys > MAX_KEYS ? MAX_KEYS : l->max_keys;
    } else if (text_is(name, TEXT("encoding-type"))) {
        l->url_encoded = text_is(value, TEXT("url"));
        l->bad = l->bad || !l->url_encoded;
    } else if (text_is(name, TEXT("fetch-owner"))) {
        l->fetch_owner = text_is(value, TEXT("true"));
    }
}

static void read_query(struct listing *l) {
    struct text name, value, rest = l->request->query;
    l->max_keys = MAX_KEYS;
    while (request_parameter(&rest, &name, &value))
        read_parameter(l, name, value);
    rest = l->request->query;
    while (request_parameter(&rest, &name, &value))
        l->kind->read_start(l, name, value);
}

void listing_add_name(struct listing *l, struct document *d, struct text name) {
    if (l->url_encoded)
        document_add_url(d, name);
    else
        document_add_escaped(d, name);
}

void listing_add_element(struct listing *l, struct document *d, struct text tag,
                         struct text value) {
    DOCUMENT_ADD(d, "<");
    document_add(d, tag);
    DOCUMENT_ADD(d, ">");
    listing_add_name(l, d, value);
    DOCUMENT_ADD(d, "</");
    document_add(d, tag);
    DOCUMENT_ADD(d, ">");
}

void listing_add_object(struct document *d, const struct listed *item, bool has_owner) {
    document_add_date(d, TEXT("LastModified"), item->modified_s);
    document_add_etag(d, item->md5, item->parts);
    document_add_number(d, TEXT("Size"), item->size_bytes);
    if (has_owner)
        DOCUMENT_ADD(d, DOCUMENT_OWNER);
    DOCUMENT_ADD(d, "<StorageClass>STANDARD</StorageClass>");
}

void listing_add_prefix(struct listing *l, struct text prefix) {
    DOCUMENT_ADD(&l->prefixes, "<CommonPrefixes><Prefix>");
    listing_add_name(l, &l->prefixes, prefix);
    DOCUMENT_ADD(&l->prefixes, "</Prefix></CommonPrefixes>");
}

// The first text in byte order that does not start with `prefix`. UTF-8 has no 0xff, so the last
// byte can always be raised.
static struct text after_prefix(struct listing *l, struct text prefix) {
    memcpy(l->seek, prefix.p, prefix.n);
    l->seek[prefix.n - 1] = (char)(l->seek[prefix.n - 1] + 1);
    return (struct text){l->seek, prefix.n};
}

struct text listing_roll_up(const struct listing *l, struct text key, bool *is_prefix) {
    size_t at;
    *is_prefix = l->has_delimiter && text_find(key, l->delimiter, l->prefix.n, &at);
    return *is_prefix ? (struct text){key.p, at + l->delimiter.n} : key;
}

bool listing_take(struct listing *l, struct text name) {
    if (l->count == l->max_keys) {
        l->truncated = l->max_keys > 0;
        return false;
    }
    l->count++;
    memcpy(l->last, name.p, name.n);
    l->last_n = name.n;
    return true;
}

static enum visit visit(void *context, const struct listed *item, struct text *seek) {
    struct listing *l = context;
    bool is_prefix;
    if (!text_starts(item->key, l->prefix))
        return VISIT_STOP;
    struct text name = listing_roll_up(l, item->key, &is_prefix);
    // Listed before: a key at the start itself, or a common prefix at or before it.
    if (l->after.n > 0 && text_compare(name, l->after) <= 0) {
        if (!is_prefix)
            return VISIT_NEXT;
        *seek = after_prefix(l, name);
        return VISIT_SEEK;
    }
    if (!listing_take(l, name))
        return VISIT_STOP;
    if (!is_prefix) {
        l->kind->add_item(l, item);
        return VISIT_NEXT;
    }
    listing_add_prefix(l, name);
    *seek = after_prefix(l, name);
    return VISIT_SEEK;
}

enum store_result listing_walk_keys(struct listing *l, struct text from) {
    return store_list(l->request->bucket, from, visit, l);
}

void listing_begin(struct listing *l, struct document *d, struct text root) {
    DOCUMENT_ADD(d, XML_DECLARATION "<");
    document_add(d, root);
    DOCUMENT_ADD(d, XML_NAMESPACE "><Name>");
    document_add_escaped(d, l->request->bucket);
    DOCUMENT_ADD(d, "</Name>");
    listing_add_element(l, d, TEXT("Prefix"), l->prefix);
}

void listing_end(struct connection *c, struct listing *l, struct document *d, struct text root) {
    document_add_number(d, l->kind->count_tag, l->max_keys);
    if (l->has_delimiter)
        listing_add_element(l, d, TEXT("Delimiter"), l->delimiter);
    if (l->url_encoded)
        DOCUMENT_ADD(d, "<EncodingType>url</EncodingType>");
    document_add(d, l->truncated ? TEXT("<IsTruncated>true</IsTruncated>")
                                 : TEXT("<IsTruncated>false</IsTruncated>"));
    document_add(d, (struct text){l->contents.p, l->contents.n});
    document_add(d, (struct text){l->prefixes.p, l->prefixes.n});
    DOCUMENT_ADD(d, "</");
    document_add(d, root);
    DOCUMENT_ADD(d, ">");
    d->failed = d->failed || l->contents.failed || l->prefixes.failed;
    answer_document(c, d);
}

void listing_serve(struct connection *c, struct request *r, const struct listing_kind *kind) {
    struct listing *l = calloc(1, sizeof *l); // 22 KiB: too much for a stack that serves all
    if (l == NULL) {
        answer_error(c, ERROR_INTERNAL, r->path);
        return;
    }
    l->kind = kind;
    l->request = r;
    read_query(l);
    struct text from = text_compare(l->after, l->prefix) > 0 ? l->after : l->prefix;
    if (l->bad)
        answer_error(c, ERROR_INVALID_ARGUMENT, r->path);
    else if (kind->walk(l, from) == STORE_NO_BUCKET)
        answer_error(c, ERROR_NO_SUCH_BUCKET, r->path);
    else
        kind->answer(c, l);
    free(l->contents.p);
    free(l->prefixes.p);
    free(l);
}
