// One request's head, parsed: views into the connection's input, valid until the head is consumed.
#ifndef PAUSEMARK_REQUEST_H
#define PAUSEMARK_REQUEST_H
#include "precondition.h"
#include <llhttp.h>

#define HEAD_BYTES_MAX 16384
#define METADATA_BYTES_MAX 2048

enum head_state { HEAD_PARTIAL, HEAD_COMPLETE, HEAD_BAD, HEAD_TOO_LARGE };

struct request {
    llhttp_method_t method;
    struct text head; // all of it, as it came
    struct text target, path, query;
    bool head_done, message_done, keep_alive, expect_continue, chunked;
    bool has_length, has_encoding, unsupported, bad;
    unsigned host_count;
    uint64_t length;
    struct text authorization, amz_date, date, range, if_range;
    struct conditions conditions, copy_conditions; // of the target, and of a copy's source
    struct text copy_source, copy_range, metadata_directive;
    struct text content_md5, content_sha256, decoded_length, trailer, checksum_mode;
    struct text checksums[CHECKSUM_COUNT];
    struct kept_headers kept;
    size_t metadata_bytes;
    struct text name, value; // the header that is being parsed
    // Decoded from the path by request_route, and from the query by subresource_read; `p` of the
    // latter is NULL where there is none.
    struct text bucket, key, multipart_id, part_number;
    struct text overrides[KEPT_COUNT]; // of kept headers, likewise
    size_t decoded_n;
    char decoded[HEAD_BYTES_MAX];
};

// Looks for the end of a head in `input`; *head_n is its length with the empty line. Refuses bare
// CR and LF and folded lines, which llhttp's releases treat differently.
enum head_state request_scan(const char *input, size_t n, size_t *head_n);

// Prepares a parser for one connection. `data` of the parser must be set by the caller.
void request_parser_init(llhttp_t *parser);
// Told of body bytes and the message's end; the parser's data is the caller's.
typedef void request_body_sink(llhttp_t *parser, const char *bytes, size_t n);
void request_on_body(request_body_sink *sink);
// Parses exactly one head of `n` bytes. False when it is not HTTP that we accept.
bool request_parse(struct request *r, llhttp_t *parser, const char *head, size_t n);
// Splits the target in bucket and key. False on a bad escape or text that is not UTF-8.
bool request_route(struct request *r);
// Percent-decodes a piece of the head, each of which may be decoded once. False on a bad escape or
// text that is not UTF-8.
bool request_decode(struct request *r, struct text raw, struct text *decoded);
// Steps through the query's parameters, undecoded. False at the end.
bool request_parameter(struct text *rest, struct text *name, struct text *value);
#endif
