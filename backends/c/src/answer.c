// Status lines, the common headers, errors and generated documents.
#include "answer.h"
#include <stdlib.h>

static const struct {
    unsigned status;
    struct text code, message;
} errors[] = {
#define ROW(code, status, name, message)                                                           \
    [code] = {status, {name, sizeof(name) - 1}, {message, sizeof(message) - 1}}
    ROW(ERROR_ACCESS_FORM, 400, "AuthorizationHeaderMalformed",
        "The authorization header is malformed."),
    ROW(ERROR_ACCESS_QUERY, 400, "AuthorizationQueryParametersError",
        "The query's authorization parameters are malformed."),
    ROW(ERROR_ACCESS_DENIED, 403, "AccessDenied", "Access is denied."),
    ROW(ERROR_BAD_DIGEST, 400, "BadDigest", "The digest you sent did not match what was received."),
    ROW(ERROR_BUCKET_NOT_EMPTY, 409, "BucketNotEmpty", "The bucket is not empty."),
    ROW(ERROR_CONTENT_SHA256, 400, "XAmzContentSHA256Mismatch",
        "The body does not have the digest that x-amz-content-sha256 promised."),
    ROW(ERROR_COPY_RANGE, 400, "InvalidRange", "The range cannot be satisfied."),
    ROW(ERROR_ENTITY_TOO_LARGE, 400, "EntityTooLarge", "The object exceeds the size limit."),
    ROW(ERROR_ENTITY_TOO_SMALL, 400, "EntityTooSmall",
        "A part but the last is smaller than 5 MiB."),
    ROW(ERROR_HEAD_TOO_LARGE, 431, "RequestHeaderSectionTooLarge",
        "The request's head exceeds 16 KiB."),
    ROW(ERROR_INCOMPLETE_BODY, 400, "IncompleteBody",
        "The body does not have the length that was promised."),
    ROW(ERROR_INTERNAL, 500, "InternalError", "The write could not be logged."),
    ROW(ERROR_INVALID_ARGUMENT, 400, "InvalidArgument", "An argument is not valid."),
    ROW(ERROR_INVALID_BUCKET_NAME, 400, "InvalidBucketName", "The bucket's name is not valid."),
    ROW(ERROR_INVALID_DIGEST, 400, "InvalidDigest", "The Content-MD5 is not valid."),
    ROW(ERROR_INVALID_KEY_ID, 403, "InvalidAccessKeyId", "The access key is not known."),
    ROW(ERROR_INVALID_PART, 400, "InvalidPart", "A part is not there, or has another ETag."),
    ROW(ERROR_INVALID_PART_ORDER, 400, "InvalidPartOrder", "The parts are not in ascending order."),
    ROW(ERROR_INVALID_RANGE, 416, "InvalidRange", "The range cannot be satisfied."),
    ROW(ERROR_INVALID_REQUEST, 400, "InvalidRequest", "The request is not valid."),
    ROW(ERROR_INVALID_URI, 400, "InvalidURI", "The URI cannot be parsed."),
    ROW(ERROR_KEY_TOO_LONG, 400, "KeyTooLongError", "The key is longer than 1024 bytes."),
    ROW(ERROR_MALFORMED_TRAILER, 400, "MalformedTrailerError",
        "The trailer is not the one announced."),
    ROW(ERROR_MALFORMED_XML, 400, "MalformedXML", "The XML is not well formed or not as expected."),
    ROW(ERROR_METADATA_TOO_LARGE, 400, "MetadataTooLarge", "The metadata exceeds 2 KiB."),
    ROW(ERROR_METHOD_NOT_ALLOWED, 405, "MethodNotAllowed",
        "The method is not allowed on this resource."),
    ROW(ERROR_MISSING_LENGTH, 411, "MissingContentLength", "A Content-Length is required."),
    ROW(ERROR_NO_SUCH_BUCKET, 404, "NoSuchBucket", "The bucket does not exist."),
    ROW(ERROR_NO_SUCH_KEY, 404, "NoSuchKey", "The key does not exist."),
    ROW(ERROR_NO_SUCH_UPLOAD, 404, "NoSuchUpload", "The upload does not exist."),
    ROW(ERROR_NOT_IMPLEMENTED, 501, "NotImplemented", "This is not implemented."),
    ROW(ERROR_PRECONDITION_FAILED, 412, "PreconditionFailed", "A precondition did not hold."),
    ROW(ERROR_BAD_REQUEST, 400, "BadRequest", "The request is not valid HTTP."),
    ROW(ERROR_SIGNATURE, 403, "SignatureDoesNotMatch",
        "The signature is not the one that the server computes."),
    ROW(ERROR_SLOW_DOWN, 503, "SlowDown", "The store is full; reduce your rate."),
    ROW(ERROR_TIME_SKEWED, 403, "RequestTimeTooSkewed",
        "The request's time is too far from the server's."),
    ROW(ERROR_TOO_MANY_BUCKETS, 400, "TooManyBuckets", "There are 1000 buckets already."),
#undef ROW
};

static struct text status_line(unsigned status) {
    switch (status) {
    case 200:
        return TEXT("HTTP/1.1 200 OK\r\n");
    case 204:
        return TEXT("HTTP/1.1 204 No Content\r\n");
    case 206:
        return TEXT("HTTP/1.1 206 Partial Content\r\n");
    case 304:
        return TEXT("HTTP/1.1 304 Not Modified\r\n");
    case 400:
        return TEXT("HTTP/1.1 400 Bad Request\r\n");
    case 403:
        return TEXT("HTTP/1.1 403 Forbidden\r\n");
    case 404:
        return TEXT("HTTP/1.1 404 Not Found\r\n");
    case 405:
        return TEXT("HTTP/1.1 405 Method Not Allowed\r\n");
    case 409:
        return TEXT("HTTP/1.1 409 Conflict\r\n");
    case 411:
        return TEXT("HTTP/1.1 411 Length Required\r\n");
    case 412:
        return TEXT("HTTP/1.1 412 Precondition Failed\r\n");
    case 416:
        return TEXT("HTTP/1.1 416 Range Not Satisfiable\r\n");
    case 431:
        return TEXT("HTTP/1.1 431 Request Header Fields Too Large\r\n");
    case 501:
        return TEXT("HTTP/1.1 501 Not Implemented\r\n");
    case 503:
        return TEXT("HTTP/1.1 503 Service Unavailable\r\n");
    default:
        return TEXT("HTTP/1.1 500 Internal Server Error\r\n");
    }
}

// Unique because every step is a bijection of (worker, count); mixed so that it looks like what
// clients are used to.
static void next_request_id(struct worker *w) {
    static const char digits[] = "0123456789ABCDEF";
    uint64_t x = (uint64_t)w->index << 56 | (w->request_count++ & (((uint64_t)1 << 56) - 1));
    x += w->request_seed;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    for (int i = 15; i >= 0; i--, x >>= 4)
        w->request_id[i] = digits[x & 15];
}

void answer_put(struct connection *c, struct text t) {
    struct worker *w = c->worker;
    if (t.n > 0)
        memcpy(w->output + w->output_n, t.p, t.n);
    w->output_n += t.n;
}

void answer_u64(struct connection *c, uint64_t value) {
    struct worker *w = c->worker;
    w->output_n += text_put_u64(w->output + w->output_n, value);
}

void answer_begin(struct connection *c, unsigned status) {
    struct worker *w = c->worker;
    next_request_id(w);
    answer_put(c, status_line(status));
    answer_put(c, TEXT("Date: "));
    answer_put(c, (struct text){w->date, HTTP_DATE_BYTES});
    answer_put(c, TEXT("\r\nServer: pausemark\r\nx-amz-request-id: "));
    answer_put(c, (struct text){w->request_id, sizeof w->request_id});
    answer_put(c, TEXT("\r\n"));
}

void answer_header(struct connection *c, struct text name, struct text value) {
    answer_put(c, name);
    answer_put(c, TEXT(": "));
    answer_put(c, value);
    answer_put(c, TEXT("\r\n"));
}

void answer_checksums(struct connection *c, const struct checksums *sums) {
    char base64[CHECKSUM_BASE64_BYTES_MAX];
    for (unsigned kind = 0; kind < CHECKSUM_COUNT; kind++) {
        if (!checksum_has(sums, kind))
            continue;
        size_t n = checksum_put(base64, kind, sums->values[kind]);
        answer_header(c, checksum_header(kind), (struct text){base64, n});
    }
}

void answer_end(struct connection *c, uint64_t length) {
    if (length != UINT64_MAX) {
        answer_put(c, TEXT("Content-Length: "));
        answer_u64(c, length);
        answer_put(c, TEXT("\r\n"));
    }
    if (c->closing)
        answer_put(c, TEXT("Connection: close\r\n"));
    answer_put(c, TEXT("\r\n"));
}

void answer_empty(struct connection *c, unsigned status) {
    answer_begin(c, status);
    answer_end(c, status == 204 || status == 304 ? UINT64_MAX : 0);
}

struct text error_name(enum error_code code) {
    return errors[code].code;
}

struct text error_message(enum error_code code) {
    return errors[code].message;
}

void answer_error(struct connection *c, enum error_code code, struct text resource) {
    struct document d = {0};
    answer_begin(c, errors[code].status);
    DOCUMENT_ADD(&d, XML_DECLARATION "<Error><Code>");
    document_add(&d, errors[code].code);
    DOCUMENT_ADD(&d, "</Code><Message>");
    document_add_escaped(&d, errors[code].message);
    DOCUMENT_ADD(&d, "</Message><Resource>");
    document_add_escaped(&d, resource);
    DOCUMENT_ADD(&d, "</Resource><RequestId>");
    document_add(&d, (struct text){c->worker->request_id, 16});
    DOCUMENT_ADD(&d, "</RequestId></Error>");
    size_t n = d.failed ? 0 : d.n;
    answer_header(c, TEXT("Content-Type"), TEXT("application/xml"));
    answer_end(c, n);
    // A resource is at most a head long; escaped it may pass the room that one answer has.
    if (!c->head_only && n <= INLINE_BODY_BYTES_MAX) {
        answer_put(c, (struct text){d.p, n});
    } else if (!c->head_only) {
        c->text = d.p;
        c->source_at = 0;
        c->source_end = n;
        return;
    }
    free(d.p);
}

void answer_document(struct connection *c, struct document *d) {
    if (d->failed) {
        free(d->p);
        answer_error(c, ERROR_INTERNAL, TEXT("/"));
        return;
    }
    answer_begin(c, 200);
    answer_header(c, TEXT("Content-Type"), TEXT("application/xml"));
    answer_end(c, d->n);
    if (c->head_only) {
        free(d->p);
        return;
    }
    c->text = d->p;
    c->source_at = 0;
    c->source_end = d->n;
}
