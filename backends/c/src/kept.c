// The order is LOG.md's: the headers as enum kept_header has them, checksums, then metadata.
#include "kept.h"

static const struct {
    struct text shown, lower;
} names[] = {
#define ROW(which, shown, lower) [which] = {{shown, sizeof(shown) - 1}, {lower, sizeof(lower) - 1}}
    ROW(KEPT_CONTENT_TYPE, "Content-Type", "content-type"),
    ROW(KEPT_CACHE_CONTROL, "Cache-Control", "cache-control"),
    ROW(KEPT_CONTENT_DISPOSITION, "Content-Disposition", "content-disposition"),
    ROW(KEPT_CONTENT_ENCODING, "Content-Encoding", "content-encoding"),
    ROW(KEPT_CONTENT_LANGUAGE, "Content-Language", "content-language"),
    ROW(KEPT_EXPIRES, "Expires", "expires"),
#undef ROW
};

struct text kept_name(enum kept_header which) {
    return names[which].shown;
}

enum kept_header kept_find(struct text name) {
    unsigned which = 0;
    while (which < KEPT_COUNT && !text_is(name, names[which].lower))
        which++;
    return which;
}

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
    for (unsigned which = 0; which < KEPT_COUNT; which++) {
        if (which == KEPT_CONTENT_TYPE || o->kept_n[which] > 0)
            add_header(l, TEXT(""), names[which].lower, object_kept(o, which));
    }
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
    enum kept_header which = kept_find(name);
    enum checksum_kind kind = checksum_find(name);
    if (which != KEPT_COUNT) {
        kept->values[which] = value;
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
    memset(kept->values, 0, sizeof kept->values);
    kept->metadata_count = 0;
    *sums = (struct checksums){0};
    while (from.n > 0) {
        if (!take(&from, &name) || !take(&from, &value) || !keep(kept, sums, name, value))
            return false;
    }
    if (kept->values[KEPT_CONTENT_TYPE].n == 0)
        kept->values[KEPT_CONTENT_TYPE] = TEXT(DEFAULT_CONTENT_TYPE);
    return true;
}
