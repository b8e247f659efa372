// CompleteMultipartUpload: the parts that it names become an object, without a copy of their bytes.
#include "multipart_calls.h"
#include "s3.h"
#include <stdlib.h>

// Location is the path alone: this server does not know how its clients call it.
static void answer_completed(struct connection *c, struct commit *k) {
    struct document d = {0};
    if (commit_answer_refused(c, k))
        return;
    DOCUMENT_ADD(&d, XML_DECLARATION "<CompleteMultipartUploadResult" XML_NAMESPACE "><Location>/");
    document_add_url(&d, k->write.bucket);
    DOCUMENT_ADD(&d, "/");
    document_add_url(&d, k->write.key);
    DOCUMENT_ADD(&d, "</Location>");
    document_add_element(&d, TEXT("Bucket"), k->write.bucket);
    document_add_element(&d, TEXT("Key"), k->write.key);
    document_add_etag(&d, k->made->md5, k->made->parts);
    DOCUMENT_ADD(&d, "</CompleteMultipartUploadResult>");
    answer_document(c, &d);
}

static enum error_code read_body(struct completion *named, struct document *body,
                                 const struct object *o) {
    for (uint64_t at = 0; at < o->size_bytes;) {
        struct text slice = object_slice(o, at);
        document_add(body, slice);
        at += slice.n;
    }
    if (body->failed)
        return ERROR_SLOW_DOWN;
    switch (completion_read(named, body->p, body->n)) {
    case COMPLETION_GOOD:
        return ERROR_NONE;
    case COMPLETION_UNORDERED:
        return ERROR_INVALID_PART_ORDER;
    default:
        return ERROR_MALFORMED_XML;
    }
}

// On ERROR_NONE the commit has the claim and its object.
static enum error_code claim(struct connection *c, struct upload *u, struct commit *k) {
    struct completion *named = malloc(sizeof *named);
    struct document body = {0};
    enum error_code error = named == NULL ? ERROR_SLOW_DOWN : read_body(named, &body, u->object);
    if (error == ERROR_NONE)
        error = multipart_error(multipart_claim(upload_multipart(u), named,
                                                c->worker->options->object_bytes_max, &u->md5,
                                                &k->claimed, &k->made));
    free(body.p);
    free(named);
    return error;
}

void multipart_complete(struct connection *c, struct upload *u) {
    struct commit *k = commit_take(c->worker);
    struct text resource = {u->resource, u->resource_n};
    enum error_code error = k == NULL ? ERROR_SLOW_DOWN : claim(c, u, k);
    if (error != ERROR_NONE) {
        c->closing = c->closing || error == ERROR_ENTITY_TOO_LARGE;
        answer_error(c, error, resource);
        upload_close(c->worker, u);
        commit_give(c->worker, k);
        return;
    }
    k->then = answer_completed;
    k->upload = u;
    k->resource = resource;
    k->write = (struct write){.operation = LOG_PUT_OBJECT,
                              .conditions = u->conditions,
                              .bucket = {u->bucket, u->bucket_n},
                              .key = {u->key, u->key_n},
                              .object = object_hold(k->made)};
    u->conditions = NULL;
    commit_submit(c, k, &k->write);
    commit_go_on(c, k);
}
