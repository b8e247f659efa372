// Entity tags win over dates.
#include "precondition.h"

static bool etag_listed(struct text list, struct text etag) {
    while (list.n > 0) {
        struct text tag = text_trim(text_cut(&list, ','));
        if (text_starts(tag, TEXT("W/"))) {
            tag.p += 2;
            tag.n -= 2;
        }
        if (tag.n >= 2 && tag.p[0] == '"' && tag.p[tag.n - 1] == '"') {
            tag.p++;
            tag.n -= 2;
        }
        if (text_is(tag, TEXT("*")) || text_is(tag, etag))
            return true;
    }
    return false;
}

// A date that cannot be read is no condition.
static bool is_newer(const struct object *o, struct text date) {
    int64_t date_s;
    return text_from_http_date(date, &date_s) && o->modified_s > date_s;
}

static bool is_not_newer(const struct object *o, struct text date) {
    int64_t date_s;
    return text_from_http_date(date, &date_s) && o->modified_s <= date_s;
}

static bool asks_for_tags(const struct conditions *asked) {
    return asked->match.p != NULL || asked->none_match.p != NULL;
}

enum precondition precondition_judge(const struct conditions *asked, const struct object *o) {
    char bytes[ETAG_BYTES_MAX];
    bool asks_tags = asks_for_tags(asked); // most do not
    struct text etag = {bytes, asks_tags ? object_put_etag(bytes, o->md5, o->parts) : 0};
    if (asked->match.p != NULL ? !etag_listed(asked->match, etag)
                               : is_newer(o, asked->unmodified_since))
        return PRECONDITION_FAILED;
    if (asked->none_match.p != NULL ? etag_listed(asked->none_match, etag)
                                    : is_not_newer(o, asked->modified_since))
        return PRECONDITION_NOT_MODIFIED;
    return PRECONDITION_HOLDS;
}

enum precondition precondition_judge_write(const struct conditions *asked, const struct object *o) {
    char bytes[ETAG_BYTES_MAX];
    if (asked == NULL || !asks_for_tags(asked))
        return PRECONDITION_HOLDS;
    if (o == NULL)
        return asked->match.p != NULL ? PRECONDITION_NO_OBJECT : PRECONDITION_HOLDS;
    struct text etag = {bytes, object_put_etag(bytes, o->md5, o->parts)};
    bool holds = (asked->match.p == NULL || etag_listed(asked->match, etag)) &&
                 (asked->none_match.p == NULL || !etag_listed(asked->none_match, etag));
    return holds ? PRECONDITION_HOLDS : PRECONDITION_FAILED;
}

static size_t kept_copy_bytes(const struct conditions *c) {
    return sizeof *c + c->match.n + c->none_match.n;
}

// Beside an empty header stands no byte, but a place: absent and empty differ.
static char *copy(char *to, struct text from, struct text *copied) {
    if (from.p == NULL)
        return to;
    memcpy(to, from.p, from.n);
    *copied = (struct text){to, from.n};
    return to + from.n;
}

bool precondition_keep(const struct conditions *asked, struct conditions **kept) {
    *kept = NULL;
    if (!asks_for_tags(asked))
        return true;
    struct conditions *c = slab_take(kept_copy_bytes(asked));
    if (c == NULL)
        return false;
    *c = (struct conditions){.match = {NULL, 0}};
    copy(copy((char *)(c + 1), asked->match, &c->match), asked->none_match, &c->none_match);
    *kept = c;
    return true;
}

void precondition_give(struct conditions *kept) {
    if (kept != NULL)
        slab_give(kept, kept_copy_bytes(kept));
}
