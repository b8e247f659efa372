// The contract's table of requests.
#include "s3.h"
#include "auth.h"

static bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool bucket_name_is_valid(struct text name) {
    if (name.n < 3 || name.n > 63 || !is_alphanumeric(name.p[0]) ||
        !is_alphanumeric(name.p[name.n - 1]))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if (!is_alphanumeric(name.p[i]) && name.p[i] != '.' && name.p[i] != '-')
            return false;
    }
    return true;
}

// Subresources that S3 has and this subset does not; unknown parameters (x-id) are ignored as S3
// does.
static bool is_unsupported(struct text name) {
    static const char *const names[] = {"accelerate",
                                        "acl",
                                        "analytics",
                                        "attributes",
                                        "cors",
                                        "encryption",
                                        "intelligent-tiering",
                                        "inventory",
                                        "legal-hold",
                                        "lifecycle",
                                        "logging",
                                        "metrics",
                                        "notification",
                                        "object-lock",
                                        "ownershipControls",
                                        "partNumber",
                                        "policy",
                                        "policyStatus",
                                        "publicAccessBlock",
                                        "replication",
                                        "requestPayment",
                                        "restore",
                                        "retention",
                                        "select",
                                        "tagging",
                                        "torrent",
                                        "uploadId",
                                        "uploads",
                                        "versionId",
                                        "versioning",
                                        "versions",
                                        "website"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (text_is(name, (struct text){names[i], strlen(names[i])}))
            return true;
    }
    return text_starts(name, TEXT("response-"));
}

static void each_bucket(void *context, struct text name, int64_t created_s) {
    struct document *d = context;
    char date[ISO_DATE_BYTES];
    text_put_iso_date(date, created_s);
    DOCUMENT_ADD(d, "<Bucket><Name>");
    document_add_escaped(d, name);
    DOCUMENT_ADD(d, "</Name><CreationDate>");
    document_add(d, (struct text){date, sizeof date});
    DOCUMENT_ADD(d, "</CreationDate></Bucket>");
}

static void list_buckets(struct connection *c) {
    struct document d = {0};
    DOCUMENT_ADD(&d, XML_DECLARATION "<ListAllMyBucketsResult" XML_NAMESPACE
                                     "><Owner><ID>pausemark</ID><DisplayName>pausemark"
                                     "</DisplayName></Owner><Buckets>");
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

// The subresources that this subset has.
struct asked {
    bool location, is_delete, versioning, versions;
};

static void read_bucket(struct connection *c, struct request *r, const struct asked *asked) {
    if (asked->location)
        get_location(c, r);
    else if (asked->versioning)
        s3_get_versioning(c, r);
    else if (asked->versions)
        s3_list_versions(c, r);
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

static void handle_object(struct connection *c, struct request *r) {
    switch (r->method) {
    case HTTP_GET:
    case HTTP_HEAD:
        s3_get_object(c, r);
        break;
    case HTTP_PUT:
        c->upload = upload_open(c, r, UPLOAD_OBJECT);
        break;
    case HTTP_DELETE:
        delete (c, r, LOG_DELETE_OBJECT);
        break;
    default:
        answer_error(c, ERROR_METHOD_NOT_ALLOWED, r->path);
    }
}

// What is wrong before anybody looks at buckets.
static enum error_code check(const struct worker *w, struct request *r, struct asked *asked) {
    struct text rest, name, value;
    if (!request_route(r))
        return ERROR_INVALID_URI;
    enum error_code error = auth_check(w->auth, r, w->wall_s);
    if (error != ERROR_NONE)
        return error;
    rest = r->query;
    bool reads_bucket = r->method == HTTP_GET && r->bucket.n > 0 && r->key.n == 0;
    while (request_parameter(&rest, &name, &value)) {
        bool versioning = reads_bucket && text_is(name, TEXT("versioning"));
        bool versions = reads_bucket && text_is(name, TEXT("versions"));
        if (!versioning && !versions && is_unsupported(name))
            return ERROR_NOT_IMPLEMENTED;
        asked->location = asked->location || text_is(name, TEXT("location"));
        asked->is_delete = asked->is_delete || text_is(name, TEXT("delete"));
        asked->versioning = asked->versioning || versioning;
        asked->versions = asked->versions || versions;
    }
    if (r->key.n > KEY_BYTES_MAX)
        return ERROR_KEY_TOO_LONG;
    if (r->bucket.n > 0 && !bucket_name_is_valid(r->bucket))
        return ERROR_INVALID_BUCKET_NAME;
    if (r->bucket.n == 0 && r->key.n > 0)
        return ERROR_INVALID_BUCKET_NAME;
    return ERROR_NONE;
}

void s3_handle(struct connection *c, struct request *r) {
    struct asked asked = {.location = false};
    enum error_code error = check(c->worker, r, &asked);
    if (error == ERROR_NONE && r->bucket.n == 0 && r->method != HTTP_GET)
        error = ERROR_METHOD_NOT_ALLOWED;
    // A final status without the 100 leaves open whether a body follows: only closing is safe.
    bool reads_body = (r->method == HTTP_PUT && r->key.n > 0) || must_verify_body(c, r);
    if (r->expect_continue && !r->message_done &&
        (error != ERROR_NONE || !(reads_body || asked.is_delete)))
        c->closing = true;
    if (error != ERROR_NONE)
        answer_error(c, error, r->path);
    else if (r->bucket.n == 0)
        list_buckets(c);
    else if (r->key.n == 0)
        handle_bucket(c, r, &asked);
    else
        handle_object(c, r);
}
