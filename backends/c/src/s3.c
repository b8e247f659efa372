// The contract's table of requests.
#include "s3.h"
#include "auth.h"
#include "subresource.h"

static bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_number(struct text label) {
    for (size_t i = 0; i < label.n; i++) {
        if (label.p[i] < '0' || label.p[i] > '9')
            return false;
    }
    return true;
}

static bool label_is_valid(struct text label) {
    if (label.n == 0 || label.p[0] == '-' || label.p[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++) {
        if (!is_alphanumeric(label.p[i]) && label.p[i] != '-')
            return false;
    }
    return true;
}

// Labels with dots between; four numbers would be an address.
static bool bucket_name_is_valid(struct text name) {
    if (name.n < 3 || name.n > 63 || name.p[name.n - 1] == '.')
        return false;
    size_t labels = 0, numbers = 0;
    for (struct text rest = name; rest.n > 0; labels++) {
        struct text label = text_cut(&rest, '.');
        if (!label_is_valid(label))
            return false;
        numbers += is_number(label) ? 1 : 0;
    }
    return labels != 4 || numbers != 4;
}

static void each_bucket(void *context, struct text name, int64_t created_s) {
    struct document *d = context;
    DOCUMENT_ADD(d, "<Bucket>");
    document_add_element(d, TEXT("Name"), name);
    document_add_date(d, TEXT("CreationDate"), created_s);
    DOCUMENT_ADD(d, "</Bucket>");
}

static void list_buckets(struct connection *c) {
    struct document d = {0};
    DOCUMENT_ADD(&d, XML_DECLARATION "<ListAllMyBucketsResult" XML_NAMESPACE ">" DOCUMENT_OWNER
                                     "<Buckets>");
    store_each_bucket(each_bucket, &d);
    DOCUMENT_ADD(&d, "</Buckets></ListAllMyBucketsResult>");
    answer_document(c, &d);
}

// Makes a write that is its names alone; the key is empty for a bucket.
static void change(struct connection *c, struct write w, struct text resource, commit_then *then) {
    struct commit *k = commit_take(c->worker);
    if (k == NULL) {
        answer_error(c, ERROR_SLOW_DOWN, resource);
        return;
    }
    k->write = w;
    k->resource = resource;
    k->then = then;
    commit_keep_names(k);
    commit_submit(c, k, &k->write);
    commit_go_on(c, k);
}

static void answer_created(struct connection *c, struct commit *k) {
    if (commit_answer_refused(c, k))
        return;
    answer_begin(c, 200);
    answer_put(c, TEXT("Location: /"));
    answer_put(c, k->write.bucket);
    answer_put(c, TEXT("\r\n"));
    answer_end(c, 0);
}

void s3_create_bucket(struct connection *c, struct text bucket, struct text resource) {
    struct write w = {.operation = LOG_CREATE_BUCKET, .bucket = bucket};
    change(c, w, resource, answer_created);
}

static void answer_deleted(struct connection *c, struct commit *k) {
    if (!commit_answer_refused(c, k))
        answer_empty(c, 204);
}

static void delete (struct connection *c, const struct request *r, enum log_operation operation) {
    struct write w = {.operation = operation, .bucket = r->bucket, .key = r->key};
    change(c, w, r->path, answer_deleted);
}

static void get_location(struct connection *c, struct request *r) {
    struct document d = {0};
    if (!store_has_bucket(r->bucket)) {
        answer_error(c, ERROR_NO_SUCH_BUCKET, r->path);
        return;
    }
    DOCUMENT_ADD(&d, XML_DECLARATION "<LocationConstraint" XML_NAMESPACE "/>");
    answer_document(c, &d);
}

// A bucket's configuration says nothing to us, but a signature that covers it must hold.
static bool must_verify_body(const struct connection *c, const struct request *r) {
    return c->worker->auth != NULL && r->method == HTTP_PUT && !r->message_done;
}

static void read_bucket(struct connection *c, struct request *r, const struct asked *asked) {
    if (asked->location)
        get_location(c, r);
    else if (asked->versioning)
        s3_get_versioning(c, r);
    else if (asked->versions)
        s3_list_versions(c, r);
    else if (asked->uploads)
        s3_list_multiparts(c, r);
    else
        s3_list_objects(c, r);
}

static void handle_bucket(struct connection *c, struct request *r, const struct asked *asked) {
    switch (r->method) {
    case HTTP_PUT:
        if (must_verify_body(c, r))
            c->upload = upload_open(c, r, UPLOAD_BUCKET);
        else
            s3_create_bucket(c, r->bucket, r->path);
        break;
    case HTTP_HEAD:
        if (store_has_bucket(r->bucket))
            answer_empty(c, 200);
        else
            answer_error(c, ERROR_NO_SUCH_BUCKET, r->path);
        break;
    case HTTP_DELETE:
        delete (c, r, LOG_DELETE_BUCKET);
        break;
    case HTTP_GET:
        read_bucket(c, r, asked);
        break;
    case HTTP_POST:
        if (asked->is_delete)
            c->upload = upload_open(c, r, UPLOAD_KEY_LIST);
        else
            answer_error(c, ERROR_METHOD_NOT_ALLOWED, r->path);
        break;
    default:
        answer_error(c, ERROR_METHOD_NOT_ALLOWED, r->path);
    }
}

static void put_object(struct connection *c, struct request *r) {
    bool is_part = r->multipart_id.p != NULL;
    if (r->copy_source.p == NULL)
        c->upload = upload_open(c, r, is_part ? UPLOAD_PART : UPLOAD_OBJECT);
    else if (is_part)
        s3_copy_part(c, r);
    else
        s3_copy_object(c, r);
}

static void post_object(struct connection *c, struct request *r, const struct asked *asked) {
    if (asked->uploads)
        s3_begin_multipart(c, r);
    else if (r->multipart_id.p != NULL)
        c->upload = upload_open(c, r, UPLOAD_COMPLETION);
    else
        answer_error(c, ERROR_METHOD_NOT_ALLOWED, r->path);
}

static void handle_object(struct connection *c, struct request *r, const struct asked *asked) {
    bool has_multipart = r->multipart_id.p != NULL;
    switch (r->method) {
    case HTTP_GET:
    case HTTP_HEAD:
        if (has_multipart)
            s3_list_parts(c, r);
        else
            s3_get_object(c, r);
        break;
    case HTTP_PUT:
        put_object(c, r);
        break;
    case HTTP_POST:
        post_object(c, r, asked);
        break;
    case HTTP_DELETE:
        if (has_multipart)
            s3_abort_multipart(c, r);
        else
            delete (c, r, LOG_DELETE_OBJECT);
        break;
    default:
        answer_error(c, ERROR_METHOD_NOT_ALLOWED, r->path);
    }
}

// What is wrong before anybody looks at buckets.
static enum error_code check(const struct worker *w, struct request *r, struct asked *asked) {
    *asked = (struct asked){.location = false};
    if (!request_route(r))
        return ERROR_INVALID_URI;
    enum error_code error = auth_check(w->auth, r, w->wall_s);
    if (error == ERROR_NONE)
        error = subresource_read(r, asked);
    if (error != ERROR_NONE)
        return error;
    if (r->key.n > KEY_BYTES_MAX)
        return ERROR_KEY_TOO_LONG;
    if (r->bucket.n > 0 && !bucket_name_is_valid(r->bucket))
        return ERROR_INVALID_BUCKET_NAME;
    if (r->bucket.n == 0 && r->key.n > 0)
        return ERROR_INVALID_BUCKET_NAME;
    return r->bucket.n == 0 && r->method != HTTP_GET ? ERROR_METHOD_NOT_ALLOWED : ERROR_NONE;
}

static bool reads_body(const struct connection *c, const struct request *r,
                       const struct asked *asked) {
    if (r->key.n == 0)
        return asked->is_delete || must_verify_body(c, r);
    return (r->method == HTTP_PUT && r->copy_source.p == NULL) ||
           (r->method == HTTP_POST && r->multipart_id.p != NULL && !asked->uploads);
}

void s3_handle(struct connection *c, struct request *r) {
    struct asked asked;
    enum error_code error = check(c->worker, r, &asked);
    // A final status without the 100 leaves open whether a body follows: only closing is safe.
    if (r->expect_continue && !r->message_done &&
        (error != ERROR_NONE || !reads_body(c, r, &asked)))
        c->closing = true;
    if (error != ERROR_NONE)
        answer_error(c, error, r->path);
    else if (r->bucket.n == 0)
        list_buckets(c);
    else if (r->key.n == 0)
        handle_bucket(c, r, &asked);
    else
        handle_object(c, r, &asked);
}
