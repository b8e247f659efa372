// Kept headers and the one condition that a write knows.
#include "put_head.h"
#include "store.h"

// "aws-chunked" is how the body came, not how the content is encoded. S3 clients put it first or
// last, or twice. False when there is none to drop.
static bool drop_aws_chunked(struct text *encoding) {
    struct text rest = *encoding, last = *encoding;
    struct text first = text_trim(text_cut(&rest, ','));
    if (text_is_nocase(first, TEXT("aws-chunked"))) {
        *encoding = text_trim(rest);
        return true;
    }
    const char *comma = encoding->n == 0 ? NULL : memrchr(encoding->p, ',', encoding->n);
    if (comma == NULL)
        return false;
    last.p = comma + 1;
    last.n = encoding->n - (size_t)(last.p - encoding->p);
    if (!text_is_nocase(text_trim(last), TEXT("aws-chunked")))
        return false;
    *encoding = text_trim((struct text){encoding->p, (size_t)(comma - encoding->p)});
    return true;
}

static void lower_names(struct kept_headers *kept) {
    for (size_t i = 0; i < kept->metadata_count; i++) {
        char *name = (char *)(uintptr_t)kept->metadata[i].name.p; // our own input buffer
        for (size_t k = 0; k < kept->metadata[i].name.n; k++)
            name[k] = (char)(name[k] >= 'A' && name[k] <= 'Z' ? name[k] + 32 : name[k]);
    }
}

enum error_code put_head_check(struct request *r, bool keeps_headers, bool *only_if_absent) {
    if (r->unsupported || r->conditions.match.p != NULL)
        return ERROR_NOT_IMPLEMENTED;
    if (keeps_headers && r->metadata_bytes > METADATA_BYTES_MAX)
        return ERROR_METADATA_TOO_LARGE;
    *only_if_absent = text_is(r->conditions.none_match, TEXT("*"));
    if (r->conditions.none_match.p != NULL && !*only_if_absent)
        return ERROR_NOT_IMPLEMENTED;
    while (drop_aws_chunked(&r->kept.content_encoding)) {
    }
    if (r->kept.content_type.n == 0)
        r->kept.content_type = TEXT(DEFAULT_CONTENT_TYPE);
    lower_names(&r->kept);
    return ERROR_NONE;
}

bool put_head_is_taken(const struct request *r) {
    struct object *present;
    if (store_get(r->bucket, r->key, &present) != STORE_OK)
        return false;
    object_release(present);
    return true;
}
