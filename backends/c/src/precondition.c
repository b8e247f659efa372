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

enum precondition precondition_judge(const struct conditions *asked, const struct object *o) {
    char bytes[ETAG_BYTES_MAX];
    bool asks_tags = asked->match.p != NULL || asked->none_match.p != NULL; // most do not
    struct text etag = {bytes, asks_tags ? object_put_etag(bytes, o->md5, o->parts) : 0};
    if (asked->match.p != NULL ? !etag_listed(asked->match, etag)
                               : is_newer(o, asked->unmodified_since))
        return PRECONDITION_FAILED;
    if (asked->none_match.p != NULL ? etag_listed(asked->none_match, etag)
                                    : is_not_newer(o, asked->modified_since))
        return PRECONDITION_NOT_MODIFIED;
    return PRECONDITION_HOLDS;
}
