// Builds answers in the worker's output, in the contract's order of headers.
#ifndef PAUSEMARK_ANSWER_H
#define PAUSEMARK_ANSWER_H
#include "worker.h"

// The error codes, each with its status and message in one table (answer.c).
enum error_code {
    ERROR_NONE,
    ERROR_ACCESS_DENIED,
    ERROR_ACCESS_FORM,
    ERROR_ACCESS_QUERY,
    ERROR_BAD_DIGEST,
    ERROR_BUCKET_NOT_EMPTY,
    ERROR_CONTENT_SHA256,
    ERROR_COPY_RANGE,
    ERROR_ENTITY_TOO_LARGE,
    ERROR_ENTITY_TOO_SMALL,
    ERROR_HEAD_TOO_LARGE,
    ERROR_INCOMPLETE_BODY,
    ERROR_INTERNAL,
    ERROR_INVALID_ARGUMENT,
    ERROR_INVALID_BUCKET_NAME,
    ERROR_INVALID_DIGEST,
    ERROR_INVALID_KEY_ID,
    ERROR_INVALID_PART,
    ERROR_INVALID_PART_ORDER,
    ERROR_INVALID_RANGE,
    ERROR_INVALID_REQUEST,
    ERROR_INVALID_URI,
    ERROR_KEY_TOO_LONG,
    ERROR_MALFORMED_TRAILER,
    ERROR_MALFORMED_XML,
    ERROR_METADATA_TOO_LARGE,
    ERROR_METHOD_NOT_ALLOWED,
    ERROR_MISSING_LENGTH,
    ERROR_NO_SUCH_BUCKET,
    ERROR_NO_SUCH_KEY,
    ERROR_NO_SUCH_UPLOAD,
    ERROR_NOT_IMPLEMENTED,
    ERROR_PRECONDITION_FAILED,
    ERROR_BAD_REQUEST,
    ERROR_SIGNATURE,
    ERROR_SLOW_DOWN,
    ERROR_TIME_SKEWED,
    ERROR_TOO_MANY_BUCKETS
};

// A document that grows on the heap; `failed` stands for the rest of its life.
struct document {
    char *p;
    size_t n, capacity;
    bool failed;
};
void document_add(struct document *d, struct text t);
void document_add_u64(struct document *d, uint64_t value);
void document_add_escaped(struct document *d, struct text t); // XML text
// <tag>, the text escaped or the number, </tag>
void document_add_element(struct document *d, struct text tag, struct text value);
void document_add_number(struct document *d, struct text tag, uint64_t value);
// <LastModified> and the like, and <ETag> with its quotes.
void document_add_date(struct document *d, struct text tag, int64_t unix_s);
void document_add_etag(struct document *d, const uint8_t md5[16], uint16_t parts);
void document_add_url(struct document *d, struct text t); // percent-encoded, '/' kept
#define DOCUMENT_ADD(d, literal) document_add(d, TEXT(literal))
#define DOCUMENT_OWNER "<Owner><ID>pausemark</ID><DisplayName>pausemark</DisplayName></Owner>"
#define XML_DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
#define XML_NAMESPACE " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

// Low level: bytes of the head in order.
void answer_begin(struct connection *c, unsigned status);
void answer_put(struct connection *c, struct text t);
void answer_header(struct connection *c, struct text name, struct text value);
void answer_checksums(struct connection *c, const struct checksums *sums);
void answer_u64(struct connection *c, uint64_t value);
// Ends the head; `length` UINT64_MAX leaves Content-Length out (204, 304).
void answer_end(struct connection *c, uint64_t length);

// Whole answers. `resource` is the request's undecoded path.
void answer_error(struct connection *c, enum error_code code, struct text resource);
// The Code and Message of an error, for the documents that carry one per key.
struct text error_name(enum error_code code);
struct text error_message(enum error_code code);
void answer_empty(struct connection *c, unsigned status);
// Takes the document over; 500 when it failed.
void answer_document(struct connection *c, struct document *d);
#endif
