// Parameters by the kind of resource and the method that they are served for.
#include "subresource.h"
#include "kept.h"

// Subresources that S3 has and this subset nowhere; unknown parameters (x-id) are ignored as S3
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
                                        "versionId",
                                        "website"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (text_is(name, (struct text){names[i], strlen(names[i])}))
            return true;
    }
    return false;
}

struct place {
    bool is_bucket_read, is_object;
    llhttp_method_t method;
};

// What is served somewhere and read here: false when it is not served for this kind of resource.
static bool read_bucket_parameter(struct asked *asked, const struct place *place,
                                  struct text name) {
    if (text_is(name, TEXT("versioning")))
        asked->versioning = true;
    else if (text_is(name, TEXT("versions")))
        asked->versions = true;
    else
        return true;
    return place->is_bucket_read;
}

static bool read_uploads(struct asked *asked, const struct place *place, struct text name) {
    if (!text_is(name, TEXT("uploads")))
        return true;
    asked->uploads = true;
    return place->is_bucket_read || (place->is_object && place->method == HTTP_POST);
}

// The first of several counts.
static enum error_code decode_once(struct request *r, struct text value, struct text *to) {
    if (to->p != NULL)
        return ERROR_NONE;
    return request_decode(r, value, to) ? ERROR_NONE : ERROR_INVALID_URI;
}

// The kept header that "response-..." tells another value of; KEPT_COUNT for any other name.
static enum kept_header find_override(struct text name) {
    static const struct text prefix = {"response-", 9};
    if (!text_starts(name, prefix))
        return KEPT_COUNT;
    return kept_find((struct text){name.p + prefix.n, name.n - prefix.n});
}

static enum error_code read_one(struct request *r, struct asked *asked, const struct place *place,
                                struct text name, struct text value) {
    asked->location = asked->location || text_is(name, TEXT("location"));
    asked->is_delete = asked->is_delete || text_is(name, TEXT("delete"));
    if (text_is(name, TEXT("uploadId")))
        return decode_once(r, value, &r->multipart_id);
    if (text_is(name, TEXT("partNumber")))
        return decode_once(r, value, &r->part_number);
    enum kept_header which = find_override(name);
    if (which != KEPT_COUNT)
        return decode_once(r, value, &r->overrides[which]);
    bool is_served = read_bucket_parameter(asked, place, name) && read_uploads(asked, place, name);
    return is_served && !is_unsupported(name) ? ERROR_NONE : ERROR_NOT_IMPLEMENTED;
}

// An id is asked with by every method but HEAD, a PUT names a part by both.
static bool is_served(const struct request *r, const struct place *place) {
    bool has_id = r->multipart_id.p != NULL, has_number = r->part_number.p != NULL;
    if (!has_id && !has_number)
        return true;
    if (!place->is_object || place->method == HTTP_HEAD)
        return false;
    return has_id && has_number == (place->method == HTTP_PUT);
}

enum error_code subresource_read(struct request *r, struct asked *asked) {
    struct text rest = r->query, name, value;
    bool is_bucket = r->bucket.n > 0 && r->key.n == 0;
    struct place place = {.is_bucket_read = is_bucket && r->method == HTTP_GET,
                          .is_object = r->key.n > 0,
                          .method = r->method};
    *asked = (struct asked){.location = false};
    while (request_parameter(&rest, &name, &value)) {
        enum error_code error = read_one(r, asked, &place, name, value);
        if (error != ERROR_NONE)
            return error;
    }
    return is_served(r, &place) ? ERROR_NONE : ERROR_NOT_IMPLEMENTED;
}
