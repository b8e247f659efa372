// GET and HEAD of an object: preconditions, one range, the head, and where the body comes from.
#include "kept.h"
#include "s3.h"

enum range { RANGE_WHOLE, RANGE_PART, RANGE_IMPOSSIBLE };

// One range; a malformed one is ignored, and so is a list of several (as MinIO and S3 do).
static enum range read_range(struct text header, uint64_t size, uint64_t *from, uint64_t *to) {
    uint64_t first, last = UINT64_MAX;
    if (!text_starts_nocase(header, TEXT("bytes=")))
        return RANGE_WHOLE;
    struct text tail = {header.p + 6, header.n - 6};
    if (memchr(tail.p, '-', tail.n) == NULL)
        return RANGE_WHOLE;
    struct text head = text_cut(&tail, '-');
    if (head.n == 0) {
        if (!text_to_u64(tail, &last))
            return RANGE_WHOLE;
        *from = last < size ? size - last : 0;
        *to = size;
        return last == 0 || size == 0 ? RANGE_IMPOSSIBLE : RANGE_PART;
    }
    if (!text_to_u64(head, &first) || (tail.n > 0 && !text_to_u64(tail, &last)) || last < first)
        return RANGE_WHOLE;
    *from = first;
    *to = last >= size ? size : last + 1;
    return first >= size ? RANGE_IMPOSSIBLE : RANGE_PART;
}

static void put_validators(struct connection *c, const struct object *o, struct text quoted_etag) {
    char date[HTTP_DATE_BYTES];
    text_put_http_date(date, o->modified_s);
    answer_header(c, TEXT("ETag"), quoted_etag);
    answer_header(c, TEXT("Last-Modified"), (struct text){date, sizeof date});
}

static void put_kept(struct connection *c, const struct request *r, const struct object *o,
                     bool tells_checksums) {
    struct text name, value;
    answer_put(c, TEXT("Accept-Ranges: bytes\r\n"));
    for (unsigned which = 0; which < KEPT_COUNT; which++) {
        bool is_overridden = r->overrides[which].n > 0;
        value = is_overridden ? r->overrides[which] : object_kept(o, which);
        if (value.n > 0)
            answer_header(c, kept_name(which), value);
    }
    if (tells_checksums)
        answer_checksums(c, &o->checksums);
    for (size_t at = 0; o->metadata_count > 0 && object_metadata(o, &at, &name, &value);) {
        answer_put(c, TEXT("x-amz-meta-"));
        answer_header(c, name, value);
    }
}

static void put_content_range(struct connection *c, uint64_t from, uint64_t to, uint64_t size) {
    answer_put(c, TEXT("Content-Range: bytes "));
    answer_u64(c, from);
    answer_put(c, TEXT("-"));
    answer_u64(c, to - 1);
    answer_put(c, TEXT("/"));
    answer_u64(c, size);
    answer_put(c, TEXT("\r\n"));
}

// Small bodies are copied behind the head, so that pipelined answers leave in one send; large ones
// are sent from where they lie.
static void put_body(struct connection *c, struct object *o, uint64_t from, uint64_t to) {
    if (c->head_only || from == to)
        return;
    if (to - from > INLINE_BODY_BYTES_MAX) {
        c->source = object_hold(o);
        c->source_at = from;
        c->source_end = to;
        return;
    }
    while (from < to) {
        struct text slice = object_slice(o, from);
        if (slice.n > to - from)
            slice.n = (size_t)(to - from);
        answer_put(c, slice);
        from += slice.n;
    }
}

static void answer_object(struct connection *c, struct request *r, struct object *o) {
    char etag[ETAG_BYTES_MAX + 2];
    uint64_t from = 0, to = o->size_bytes;
    enum range range = RANGE_WHOLE;
    size_t etag_n = object_put_etag(etag + 1, o->md5, o->parts);
    etag[0] = etag[etag_n + 1] = '"';
    struct text quoted_etag = {etag, etag_n + 2};
    enum precondition met = precondition_judge(&r->conditions, o);
    if (met == PRECONDITION_FAILED) {
        answer_error(c, ERROR_PRECONDITION_FAILED, r->path);
        return;
    }
    if (met == PRECONDITION_NOT_MODIFIED) {
        answer_begin(c, 304);
        put_validators(c, o, quoted_etag);
        answer_end(c, UINT64_MAX);
        return;
    }
    if (r->range.n > 0 && (r->if_range.p == NULL || text_is(r->if_range, quoted_etag)))
        range = read_range(r->range, o->size_bytes, &from, &to);
    if (range == RANGE_IMPOSSIBLE) {
        answer_error(c, ERROR_INVALID_RANGE, r->path);
        return;
    }
    answer_begin(c, range == RANGE_PART ? 206 : 200);
    put_validators(c, o, quoted_etag);
    put_kept(c, r, o, range == RANGE_WHOLE && text_is_nocase(r->checksum_mode, TEXT("ENABLED")));
    if (range == RANGE_PART)
        put_content_range(c, from, to, o->size_bytes);
    answer_end(c, to - from);
    put_body(c, o, from, to);
}

// A control character could end its header and begin another.
static bool overrides_are_valid(const struct request *r) {
    for (unsigned which = 0; which < KEPT_COUNT; which++) {
        for (size_t i = 0; i < r->overrides[which].n; i++) {
            uint8_t byte = (uint8_t)r->overrides[which].p[i];
            if (byte < 0x20 || byte == 0x7f)
                return false;
        }
    }
    return true;
}

void s3_get_object(struct connection *c, struct request *r) {
    struct object *o;
    if (!overrides_are_valid(r)) {
        answer_error(c, ERROR_INVALID_ARGUMENT, r->path);
        return;
    }
    enum store_result result = store_get(r->bucket, r->key, &o);
    if (result == STORE_OK) {
        answer_object(c, r, o);
        object_release(o);
        return;
    }
    answer_error(c, result == STORE_NO_KEY ? ERROR_NO_SUCH_KEY : ERROR_NO_SUCH_BUCKET, r->path);
}
