// The calls that begin a multipart upload, keep a part of it and give it up.
#include "multipart_calls.h"
#include "put_head.h"
#include "s3.h"

enum error_code multipart_error(enum multipart_result result) {
    switch (result) {
    case MULTIPART_OK:
        return ERROR_NONE;
    case MULTIPART_NONE:
        return ERROR_NO_SUCH_UPLOAD;
    case MULTIPART_NO_BUCKET:
        return ERROR_NO_SUCH_BUCKET;
    case MULTIPART_INVALID_PART:
        return ERROR_INVALID_PART;
    case MULTIPART_TOO_SMALL:
        return ERROR_ENTITY_TOO_SMALL;
    case MULTIPART_TOO_LARGE:
        return ERROR_ENTITY_TOO_LARGE;
    default:
        return ERROR_SLOW_DOWN;
    }
}

static enum error_code begin(const struct connection *c, struct request *r, char *id) {
    enum error_code error = put_head_check(r, true); // conditions are the completion's
    if (error != ERROR_NONE)
        return error;
    if (!store_has_bucket(r->bucket))
        return ERROR_NO_SUCH_BUCKET;
    struct object *described = object_create(&r->kept, 0, r->key.n);
    if (described == NULL)
        return ERROR_SLOW_DOWN;
    error = multipart_error(multipart_begin(r->bucket, r->key, described, c->worker->wall_s, id));
    if (error != ERROR_NONE)
        object_release(described);
    return error;
}

void s3_begin_multipart(struct connection *c, struct request *r) {
    struct document d = {0};
    char id[MULTIPART_ID_BYTES];
    enum error_code error = begin(c, r, id);
    if (error != ERROR_NONE) {
        answer_error(c, error, r->path);
        return;
    }
    DOCUMENT_ADD(&d, XML_DECLARATION "<InitiateMultipartUploadResult" XML_NAMESPACE ">");
    document_add_element(&d, TEXT("Bucket"), r->bucket);
    document_add_element(&d, TEXT("Key"), r->key);
    document_add_element(&d, TEXT("UploadId"), (struct text){id, sizeof id});
    DOCUMENT_ADD(&d, "</InitiateMultipartUploadResult>");
    answer_document(c, &d);
}

enum error_code multipart_read_number(const struct request *r, unsigned *number) {
    uint64_t value;
    if (!text_to_u64(r->part_number, &value) || value < 1 || value > PART_NUMBER_MAX)
        return ERROR_INVALID_ARGUMENT;
    *number = (unsigned)value;
    return ERROR_NONE;
}

void multipart_keep_part(struct connection *c, struct upload *u) {
    u->object->modified_s = c->worker->wall_s;
    enum error_code error =
        multipart_error(multipart_put_part(upload_multipart(u), u->part_number, u->object));
    if (error == ERROR_NONE) {
        u->object = NULL; // the multipart's now
        upload_answer_stored(c, u);
    } else {
        answer_error(c, error, (struct text){u->resource, u->resource_n});
    }
    upload_close(c->worker, u);
}

void s3_abort_multipart(struct connection *c, struct request *r) {
    struct multipart_name name = {r->bucket, r->key, r->multipart_id};
    if (!store_has_bucket(r->bucket))
        answer_error(c, ERROR_NO_SUCH_BUCKET, r->path);
    else if (multipart_abort(name) == MULTIPART_OK)
        answer_empty(c, 204);
    else
        answer_error(c, ERROR_NO_SUCH_UPLOAD, r->path);
}
