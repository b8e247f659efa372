// The order is LOG.md's: type, caching, encoding, checksums, then metadata.
#include "kept.h"

#define METADATA_PREFIX TEXT("x-amz-meta-")

// Adds text to a list, or only to its length when `to` is NULL.
struct list {
    char *to;
    size_t n;
};

static void add(struct list *l, struct text t) {
    if (l->to != NULL && t.n > 0)
        memcpy(l->to + l->n, t.p, t.n);
    l->n += t.n;
}

static void add_header(struct list *l, struct text prefix, struct text name, struct text value) {
    static const struct text end = {"", 1};
    add(l, prefix);
    add(l, name);
    add(l, end);
    add(l, value);
    add(l, end);
}

static void add_all(struct list *l, const struct object *o) {
    struct text name, value;
    char base64[CHECKSUM_BASE64_BYTES_MAX];
    add_header(l, TEXT(""), TEXT("content-type"), object_content_type(o));
    if (o->cache_n > 0)
        add_header(l, TEXT(""), TEXT("cache-control"), object_cache_control(o));
    if (o->encoding_n > 0)
        add_header(l, TEXT(""), TEXT("content-encoding"), object_content_encoding(o));
    for (unsigned kind = 0; kind < CHECKSUM_COUNT; kind++) {
        if (!checksum_has(&o->checksums, kind))
            continue;
        size_t n = checksum_put(base64, kind, o->checksums.values[kind]);
        add_header(l, TEXT(""), checksum_header(kind), (struct text){base64, n});
    }
    for (size_t at = 0; o->metadata_count > 0 && object_metadata(o, &at, &name, &value);)
        add_header(l, METADATA_PREFIX, name, value);
}

size_t kept_bytes(const struct object *o) {
    struct list l = {NULL, 0};
    add_all(&l, o);
    return l.n;
}

void kept_put(char *to, const struct object *o) {
    struct list l = {to, 0};
    add_all(&l, o);
}

static bool take(struct text *from, struct text *item) {
    if (from->n == 0 || memchr(from->p, '\0', from->n) == NULL)
        return false;
    *item = text_cut(from, '\0');
    return true;
}

static bool keep(struct kept_headers *kept, struct checksums *sums, struct text name,
                 struct text value) {
    enum checksum_kind kind = checksum_find(name);
    if (text_is(name, TEXT("content-type"))) {
        kept->content_type = value;
    } else if (text_is(name, TEXT("cache-control"))) {
        kept->cache_control = value;
    } else if (text_is(name, TEXT("content-encoding"))) {
        kept->content_encoding = value;
    } else if (kind != CHECKSUM_COUNT) {
        sums->kinds |= 1u << kind;
        return checksum_read(kind, value, &sums->values[kind]);
    } else if (text_starts(name, METADATA_PREFIX) && kept->metadata_count < METADATA_COUNT_MAX) {
        struct text rest = {name.p + METADATA_PREFIX.n, name.n - METADATA_PREFIX.n};
        kept->metadata[kept->metadata_count].name = rest;
        kept->metadata[kept->metadata_count++].value = value;
    } else {
        return false;
    }
    return true;
}

bool kept_read(struct text from, struct kept_headers *kept, struct checksums *sums) {
    struct text name, value;
    kept->content_type = kept->cache_control = kept->content_encoding = TEXT("");
    kept->metadata_count = 0;
    *sums = (struct checksums){0};
    while (from.n > 0) {
        if (!take(&from, &name) || !take(&from, &value) || !keep(kept, sums, name, value))
            return false;
    }
    if (kept->content_type.n == 0)
        kept->content_type = TEXT(DEFAULT_CONTENT_TYPE);
    return true;
}
