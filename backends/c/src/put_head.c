// Kept headers, and a write's conditions before its body is read.
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

enum error_code put_head_check(struct request *r, bool keeps_headers) {
    if (r->unsupported)
        return ERROR_NOT_IMPLEMENTED;
    if (keeps_headers && r->metadata_bytes > METADATA_BYTES_MAX)
        return ERROR_METADATA_TOO_LARGE;
    while (drop_aws_chunked(&r->kept.values[KEPT_CONTENT_ENCODING])) {
    }
    if (r->kept.values[KEPT_CONTENT_TYPE].n == 0)
        r->kept.values[KEPT_CONTENT_TYPE] = TEXT(DEFAULT_CONTENT_TYPE);
    lower_names(&r->kept);
    return ERROR_NONE;
}

enum error_code put_head_judge(const struct request *r) {
    struct object *present = NULL;
    if (r->conditions.match.p == NULL && r->conditions.none_match.p == NULL)
        return ERROR_NONE; // most ask for nothing, and need no lookup
    store_get(r->bucket, r->key, &present);
    enum precondition met = precondition_judge_write(&r->conditions, present);
    object_release(present);
    if (met == PRECONDITION_NO_OBJECT)
        return ERROR_NO_SUCH_KEY;
    return met == PRECONDITION_HOLDS ? ERROR_NONE : ERROR_PRECONDITION_FAILED;
}
