// Digests while the bytes arrive, verdict at the end.
#include "auth.h"
#include "multipart_calls.h"
#include "put_head.h"
#include "s3.h"
#include <stdlib.h>

struct upload *upload_take(struct worker *w) {
    struct upload *u = w->free_uploads;
    EVP_MD_CTX *sha256;
    if (u != NULL) {
        w->free_uploads = u->next_free;
        sha256 = u->payload.sha256;
    } else {
        u = malloc(sizeof *u);
        sha256 = w->auth == NULL ? NULL : sha256_create();
        if (u == NULL || (w->auth != NULL && sha256 == NULL)) {
            free(u);
            EVP_MD_CTX_free(sha256);
            return NULL;
        }
    }
    memset(u, 0, offsetof(struct upload, aws));
    memset(&u->aws, 0, offsetof(struct aws_chunked, line));
    u->payload.sha256 = sha256;
    md5_begin(&u->md5);
    return u;
}

void upload_close(struct worker *w, struct upload *u) {
    if (u == NULL)
        return;
    object_release(u->object);
    precondition_give(u->conditions);
    u->object = NULL;
    u->conditions = NULL;
    u->next_free = w->free_uploads;
    w->free_uploads = u;
}

void upload_free_all(struct worker *w) {
    while (w->free_uploads != NULL) {
        struct upload *u = w->free_uploads;
        w->free_uploads = u->next_free;
        EVP_MD_CTX_free(u->payload.sha256);
        free(u);
    }
}

static enum error_code checksum_error(enum checksum_verdict verdict) {
    switch (verdict) {
    case CHECKSUM_OTHER:
        return ERROR_BAD_DIGEST;
    case CHECKSUM_MALFORMED:
        return ERROR_INVALID_REQUEST;
    case CHECKSUM_MISSING:
        return ERROR_MALFORMED_TRAILER;
    default:
        return ERROR_NONE;
    }
}

static enum error_code read_checks(struct upload *u, const struct request *r) {
    struct text sha256 = r->content_sha256;
    if (r->content_md5.p != NULL) {
        u->wants_md5 = true;
        if (!text_from_base64(r->content_md5, u->md5_expected, 16))
            return ERROR_INVALID_DIGEST;
    }
    for (unsigned kind = 0; kind < CHECKSUM_COUNT; kind++) {
        enum error_code error =
            checksum_error(checksum_expect(&u->checksums, kind, r->checksums[kind]));
        if (error != ERROR_NONE)
            return error;
    }
    enum error_code kind = sha256.p == NULL ? ERROR_NONE : payload_judge(sha256, false);
    if (kind != ERROR_NONE)
        return kind;
    u->is_aws_chunked = text_starts(sha256, TEXT("STREAMING-"));
    if (u->is_aws_chunked)
        checksum_announce(&u->checksums, r->trailer);
    return ERROR_NONE;
}

static bool is_content(const struct upload *u) {
    return u->kind == UPLOAD_OBJECT || u->kind == UPLOAD_PART;
}

static enum error_code too_long(const struct upload *u) {
    return is_content(u) ? ERROR_ENTITY_TOO_LARGE : ERROR_MALFORMED_XML;
}

static enum error_code read_length(struct upload *u, const struct request *r, uint64_t *length) {
    *length = r->has_length ? r->length : UINT64_MAX;
    if (!r->has_length && !r->chunked)
        return ERROR_MISSING_LENGTH;
    u->decoded_length = UINT64_MAX;
    if (u->is_aws_chunked) {
        if (!text_to_u64(r->decoded_length, &u->decoded_length))
            return ERROR_MISSING_LENGTH;
        *length = u->decoded_length;
    }
    if (*length != UINT64_MAX && *length > u->bytes_max)
        return too_long(u);
    return ERROR_NONE;
}

static bool makes_object(const struct upload *u) {
    return u->kind == UPLOAD_OBJECT || u->kind == UPLOAD_COMPLETION;
}

// What the head of this kind asks for, beside the checks of its body.
static enum error_code check_kind(const struct upload *u, struct request *r) {
    if (makes_object(u))
        return put_head_check(r, u->kind == UPLOAD_OBJECT);
    return u->kind == UPLOAD_PART && r->unsupported ? ERROR_NOT_IMPLEMENTED : ERROR_NONE;
}

static void copy_names(struct upload *u, const struct request *r) {
    memcpy(u->bucket, r->bucket.p, u->bucket_n = r->bucket.n);
    if (r->key.n > 0)
        memcpy(u->key, r->key.p, r->key.n);
    u->key_n = r->key.n;
    u->multipart_id_n = r->multipart_id.n <= sizeof u->multipart_id ? r->multipart_id.n : 0;
    if (u->multipart_id_n > 0)
        memcpy(u->multipart_id, r->multipart_id.p, u->multipart_id_n);
    u->resource_n = r->path.n < RESOURCE_BYTES_MAX ? r->path.n : RESOURCE_BYTES_MAX;
    memcpy(u->resource, r->path.p, u->resource_n);
}

static enum error_code find_place(struct upload *u, const struct request *r) {
    bool needs_multipart = u->kind == UPLOAD_PART || u->kind == UPLOAD_COMPLETION;
    if (u->kind == UPLOAD_BUCKET)
        return ERROR_NONE;
    if (!store_has_bucket(r->bucket))
        return ERROR_NO_SUCH_BUCKET;
    if (needs_multipart && !multipart_is_open(upload_multipart(u)))
        return ERROR_NO_SUCH_UPLOAD;
    return makes_object(u) ? put_head_judge(r) : ERROR_NONE;
}

static enum error_code prepare(struct worker *w, struct upload *u, struct request *r) {
    uint64_t length;
    struct kept_headers none = {.metadata_count = 0};
    enum error_code error = read_checks(u, r);
    if (error == ERROR_NONE && w->auth != NULL)
        payload_begin(&u->payload, r->content_sha256, auth_seal(w->auth));
    if (error == ERROR_NONE)
        error = check_kind(u, r);
    if (error == ERROR_NONE)
        error = read_length(u, r, &length);
    if (error == ERROR_NONE)
        error = find_place(u, r);
    if (error != ERROR_NONE)
        return error;
    u->object = object_create(u->kind == UPLOAD_OBJECT ? &r->kept : &none, length, r->key.n);
    bool has_room = u->object != NULL &&
                    (!makes_object(u) || precondition_keep(&r->conditions, &u->conditions));
    return has_room ? ERROR_NONE : ERROR_SLOW_DOWN;
}

struct upload *upload_open(struct connection *c, struct request *r, enum upload_kind kind) {
    struct upload *u = upload_take(c->worker);
    enum error_code error = ERROR_INTERNAL;
    if (u != NULL) {
        u->kind = kind;
        u->bytes_max = is_content(u) ? c->worker->options->object_bytes_max : DOCUMENT_BYTES_MAX;
        copy_names(u, r);
        error = kind == UPLOAD_PART ? multipart_read_number(r, &u->part_number) : ERROR_NONE;
        if (error == ERROR_NONE)
            error = prepare(c->worker, u, r);
    }
    if (error == ERROR_NONE)
        return u;
    upload_close(c->worker, u);
    c->closing = c->closing || r->expect_continue || error == ERROR_ENTITY_TOO_LARGE;
    answer_error(c, error, r->path);
    return NULL;
}

static void take_content(struct upload *u, struct text bytes) {
    uint64_t limit = u->decoded_length == UINT64_MAX ? u->bytes_max : u->decoded_length;
    if (bytes.n > limit - u->object->size_bytes) {
        u->error = u->decoded_length != UINT64_MAX ? ERROR_INCOMPLETE_BODY : too_long(u);
        return;
    }
    md5_add(&u->md5, bytes);
    payload_add(&u->payload, bytes);
    checksum_add(&u->checksums, bytes);
    if (!object_append(u->object, bytes.p, bytes.n))
        u->error = ERROR_SLOW_DOWN;
}

static enum error_code take_coded(struct upload *u, struct text *bytes) {
    struct text content;
    bool good = true;
    switch (aws_chunked_next(&u->aws, bytes, &content)) {
    case AWS_BAD:
        return ERROR_INCOMPLETE_BODY;
    case AWS_NOTHING:
        break;
    case AWS_CONTENT:
        take_content(u, content);
        return u->error;
    case AWS_CHUNK_END:
        good = payload_end_chunk(&u->payload, (struct text){u->aws.signature, u->aws.signature_n});
        break;
    case AWS_TRAILER_ONE:
        if (!payload_add_trailer(&u->payload, u->aws.name, u->aws.value))
            return ERROR_INCOMPLETE_BODY;
        checksum_take_trailer(&u->checksums, u->aws.name, u->aws.value);
        break;
    case AWS_END:
        good = payload_end_trailer(&u->payload);
        break;
    }
    return good ? ERROR_NONE : ERROR_SIGNATURE;
}

void upload_feed(struct upload *u, struct text bytes) {
    if (!u->is_aws_chunked && u->error == ERROR_NONE)
        take_content(u, bytes);
    while (u->is_aws_chunked && u->error == ERROR_NONE && bytes.n > 0)
        u->error = take_coded(u, &bytes);
}

static enum error_code verify(struct upload *u) {
    md5_end(&u->md5, u->object->md5);
    if (u->error != ERROR_NONE)
        return u->error;
    if (u->is_aws_chunked && u->aws.state != AWS_DONE)
        return ERROR_INCOMPLETE_BODY;
    if (u->decoded_length != UINT64_MAX && u->object->size_bytes != u->decoded_length)
        return ERROR_INCOMPLETE_BODY;
    if (!payload_end(&u->payload))
        return ERROR_CONTENT_SHA256;
    if (u->wants_md5 && memcmp(u->md5_expected, u->object->md5, 16) != 0)
        return ERROR_BAD_DIGEST;
    enum error_code error = checksum_error(checksum_end_head(&u->checksums));
    return error != ERROR_NONE ? error : checksum_error(checksum_end_trailer(&u->checksums));
}

void upload_answer_stored(struct connection *c, const struct upload *u) {
    char etag[34];
    etag[0] = etag[33] = '"';
    text_put_hex(etag + 1, u->md5_found, 16);
    answer_begin(c, 200);
    answer_header(c, TEXT("ETag"), (struct text){etag, sizeof etag});
    answer_checksums(c, &u->checksums.computed);
    answer_end(c, 0);
}

static void answer_stored(struct connection *c, struct commit *k) {
    if (!commit_answer_refused(c, k))
        upload_answer_stored(c, k->upload);
}

static void seal(struct upload *u) {
    object_seal(u->object);
    memcpy(u->md5_found, u->object->md5, sizeof u->md5_found);
}

static void store(struct connection *c, struct upload *u) {
    struct commit *k = commit_take(c->worker);
    if (k == NULL) {
        answer_error(c, ERROR_SLOW_DOWN, (struct text){u->resource, u->resource_n});
        upload_close(c->worker, u);
        return;
    }
    seal(u);
    u->object->checksums = u->checksums.computed;
    k->then = answer_stored;
    k->upload = u;
    k->resource = (struct text){u->resource, u->resource_n};
    k->write = (struct write){.operation = LOG_PUT_OBJECT,
                              .conditions = u->conditions,
                              .bucket = {u->bucket, u->bucket_n},
                              .key = {u->key, u->key_n},
                              .object = u->object};
    u->object = NULL;
    u->conditions = NULL;
    commit_submit(c, k, &k->write);
    commit_go_on(c, k);
}

void upload_finish(struct connection *c) {
    struct upload *u = c->upload;
    struct text resource = {u->resource, u->resource_n};
    c->upload = NULL;
    enum error_code error = verify(u);
    if (error != ERROR_NONE) {
        answer_error(c, error, resource);
        upload_close(c->worker, u);
        return;
    }
    switch (u->kind) {
    case UPLOAD_OBJECT:
        store(c, u);
        break;
    case UPLOAD_PART:
        seal(u);
        multipart_keep_part(c, u);
        break;
    case UPLOAD_KEY_LIST:
        delete_many(c, u);
        break;
    case UPLOAD_COMPLETION:
        multipart_complete(c, u);
        break;
    case UPLOAD_BUCKET:
        s3_create_bucket(c, (struct text){u->bucket, u->bucket_n}, resource);
        upload_close(c->worker, u);
    }
}
