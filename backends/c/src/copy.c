// CopyObject, whose object has its source's blocks, and UploadPartCopy, whose part has its own.
#include "multipart_calls.h"
#include "precondition.h"
#include "put_head.h"
#include "s3.h"

struct source {
    struct text bucket, key;
    bool has_range;
    uint64_t first, last; // of the range, both included
};

// The only version that an object has here is "null".
static enum error_code check_version(struct text version) {
    static const struct text name = {"versionId=", 10};
    if (!text_starts(version, name) || version.n == name.n)
        return ERROR_INVALID_ARGUMENT;
    struct text id = {version.p + name.n, version.n - name.n};
    return text_is(id, TEXT("null")) ? ERROR_NONE : ERROR_NOT_IMPLEMENTED;
}

// [/]bucket/key[?versionId=null]: decoded before it is split, since clients encode the slash too.
static enum error_code read_source(struct request *r, struct source *from) {
    struct text version = r->copy_source, path;
    bool has_version = memchr(version.p, '?', version.n) != NULL;
    struct text raw = text_cut(&version, '?');
    if (!request_decode(r, raw, &path))
        return ERROR_INVALID_ARGUMENT;
    if (text_starts(path, TEXT("/"))) {
        path.p++;
        path.n--;
    }
    from->bucket = text_cut(&path, '/');
    from->key = path;
    if (from->bucket.n == 0 || from->key.n == 0)
        return ERROR_INVALID_ARGUMENT;
    return has_version ? check_version(version) : ERROR_NONE;
}

// *o has a reference for the caller when it is there and the request's conditions on it hold.
static enum error_code find_source(const struct request *r, const struct source *from,
                                   struct object **o) {
    enum store_result result = store_get(from->bucket, from->key, o);
    if (result != STORE_OK)
        return result == STORE_NO_KEY ? ERROR_NO_SUCH_KEY : ERROR_NO_SUCH_BUCKET;
    // Also where a GET is told that nothing was modified.
    if (precondition_judge(&r->copy_conditions, *o) == PRECONDITION_HOLDS)
        return ERROR_NONE;
    object_release(*o);
    *o = NULL;
    return ERROR_PRECONDITION_FAILED;
}

static void answer(struct connection *c, struct text root, const struct object *made,
                   int64_t modified_s) {
    struct document d = {0};
    DOCUMENT_ADD(&d, XML_DECLARATION "<");
    document_add(&d, root);
    DOCUMENT_ADD(&d, XML_NAMESPACE ">");
    document_add_date(&d, TEXT("LastModified"), modified_s);
    document_add_etag(&d, made->md5, made->parts);
    DOCUMENT_ADD(&d, "</");
    document_add(&d, root);
    DOCUMENT_ADD(&d, ">");
    answer_document(c, &d);
}

static void answer_copied(struct connection *c, struct commit *k) {
    if (!commit_answer_refused(c, k))
        answer(c, TEXT("CopyObjectResult"), k->made, k->made->modified_s);
}

static enum error_code read_directive(const struct request *r, bool *replaces) {
    struct text directive = r->metadata_directive;
    *replaces = text_is(directive, TEXT("REPLACE"));
    bool is_known = directive.p == NULL || *replaces || text_is(directive, TEXT("COPY"));
    return is_known ? ERROR_NONE : ERROR_INVALID_ARGUMENT;
}

// What is wrong before anybody looks at buckets.
static enum error_code check_copy(struct request *r, struct source *from, bool *replaces) {
    enum error_code error = read_source(r, from);
    if (error == ERROR_NONE)
        error = read_directive(r, replaces);
    if (error == ERROR_NONE)
        error = put_head_check(r, *replaces);
    bool is_itself = text_is(from->bucket, r->bucket) && text_is(from->key, r->key);
    return error == ERROR_NONE && is_itself && !*replaces ? ERROR_INVALID_REQUEST : error;
}

static struct object *make_copy(const struct request *r, struct object *source, bool replaces) {
    struct object *o = replaces ? object_create(&r->kept, source->size_bytes, r->key.n)
                                : object_create_like(source, source->size_bytes, r->key.n);
    if (o == NULL || !object_share(o, source)) {
        object_release(o);
        return NULL;
    }
    memcpy(o->md5, source->md5, sizeof o->md5);
    o->parts = source->parts;
    o->checksums = source->checksums;
    return o;
}

static enum error_code copy(struct request *r, struct object **made) {
    struct source from;
    struct object *source;
    bool replaces;
    enum error_code error = check_copy(r, &from, &replaces);
    if (error != ERROR_NONE)
        return error;
    if (!store_has_bucket(r->bucket))
        return ERROR_NO_SUCH_BUCKET;
    error = put_head_judge(r);
    if (error == ERROR_NONE)
        error = find_source(r, &from, &source);
    if (error != ERROR_NONE)
        return error;
    *made = make_copy(r, source, replaces);
    object_release(source);
    return *made == NULL ? ERROR_SLOW_DOWN : ERROR_NONE;
}

void s3_copy_object(struct connection *c, struct request *r) {
    struct commit *k = commit_take(c->worker);
    struct conditions *conditions = NULL;
    enum error_code error = k == NULL ? ERROR_SLOW_DOWN : copy(r, &k->made);
    if (error == ERROR_NONE && !precondition_keep(&r->conditions, &conditions))
        error = ERROR_SLOW_DOWN;
    if (error != ERROR_NONE) {
        answer_error(c, error, r->path);
        commit_give(c->worker, k);
        return;
    }
    k->then = answer_copied;
    k->resource = r->path;
    k->write = (struct write){.operation = LOG_PUT_OBJECT,
                              .conditions = conditions,
                              .bucket = r->bucket,
                              .key = r->key,
                              .object = object_hold(k->made)};
    commit_keep_names(k);
    commit_submit(c, k, &k->write);
    commit_go_on(c, k);
}

// A number beyond 64 bits is beyond every object.
static bool read_place(struct text digits, uint64_t *place) {
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return false;
    }
    if (!text_to_u64(digits, place))
        *place = UINT64_MAX;
    return digits.n > 0;
}

// bytes=a-b, both of which must be there.
static enum error_code read_range(const struct request *r, struct source *from) {
    struct text last = r->copy_range;
    from->has_range = last.p != NULL;
    if (!from->has_range)
        return ERROR_NONE;
    if (!text_starts(last, TEXT("bytes=")))
        return ERROR_INVALID_ARGUMENT;
    last = (struct text){last.p + 6, last.n - 6};
    struct text first = text_cut(&last, '-');
    bool is_good = read_place(first, &from->first) && read_place(last, &from->last);
    return is_good && from->first <= from->last ? ERROR_NONE : ERROR_INVALID_ARGUMENT;
}

// Copies the bytes: a part of an object must not keep all of it in memory.
static enum error_code copy_bytes(struct upload *u, const struct object *source, uint64_t at,
                                  uint64_t end) {
    static const struct kept_headers none;
    u->object = object_create(&none, end - at, 0);
    if (u->object == NULL)
        return ERROR_SLOW_DOWN;
    while (at < end) {
        struct text slice = object_slice(source, at);
        if (slice.n > end - at)
            slice.n = (size_t)(end - at);
        md5_add(&u->md5, slice);
        if (!object_append(u->object, slice.p, slice.n))
            return ERROR_SLOW_DOWN;
        at += slice.n;
    }
    md5_end(&u->md5, u->object->md5);
    return ERROR_NONE;
}

static enum error_code copy_range(struct upload *u, const struct source *from,
                                  const struct object *source) {
    if (!from->has_range)
        return copy_bytes(u, source, 0, source->size_bytes);
    if (from->last >= source->size_bytes)
        return ERROR_COPY_RANGE;
    return copy_bytes(u, source, from->first, from->last + 1);
}

// On ERROR_NONE u->object is a part that nobody keeps yet.
static enum error_code make_part(struct upload *u, struct request *r) {
    struct source from;
    struct object *source;
    enum error_code error = multipart_read_number(r, &u->part_number);
    if (error == ERROR_NONE && r->unsupported)
        error = ERROR_NOT_IMPLEMENTED;
    if (error == ERROR_NONE)
        error = read_source(r, &from);
    if (error == ERROR_NONE)
        error = read_range(r, &from);
    if (error != ERROR_NONE)
        return error;
    if (!store_has_bucket(r->bucket))
        return ERROR_NO_SUCH_BUCKET;
    if (!multipart_is_open((struct multipart_name){r->bucket, r->key, r->multipart_id}))
        return ERROR_NO_SUCH_UPLOAD;
    error = find_source(r, &from, &source);
    if (error != ERROR_NONE)
        return error;
    error = copy_range(u, &from, source);
    object_release(source);
    return error;
}

static enum error_code copy_part(struct connection *c, struct request *r, struct upload *u) {
    enum error_code error = make_part(u, r);
    if (error != ERROR_NONE)
        return error;
    u->object->modified_s = c->worker->wall_s;
    error = multipart_error(
        multipart_put_part((struct multipart_name){r->bucket, r->key, r->multipart_id},
                           u->part_number, object_hold(u->object)));
    if (error != ERROR_NONE)
        object_release(u->object);
    return error;
}

void s3_copy_part(struct connection *c, struct request *r) {
    struct upload *u = upload_take(c->worker);
    enum error_code error = u == NULL ? ERROR_INTERNAL : copy_part(c, r, u);
    if (error != ERROR_NONE)
        answer_error(c, error, r->path);
    else
        answer(c, TEXT("CopyPartResult"), u->object, u->object->modified_s);
    upload_close(c->worker, u);
}
