// The canonical request of Signature Version 4, digested while it is written.
#ifndef PAUSEMARK_CANONICAL_H
#define PAUSEMARK_CANONICAL_H
#include "request.h"
#include "sha256.h"

#define SIGNED_HEADERS_MAX 256    // headers of one signed request
#define SIGNED_PARAMETERS_MAX 128 // parameters of its query

// Scratch of one worker.
struct canonical {
    EVP_MD_CTX *sha256; // the worker's, borrowed
    size_t header_count, parameter_count, pending_n;
    struct canonical_header {
        struct text name, value;
        bool is_signed;
    } headers[SIGNED_HEADERS_MAX];
    struct canonical_parameter {
        struct text name, value;
    } parameters[SIGNED_PARAMETERS_MAX];
    char pending[1024];               // not digested yet: many small pieces, few digest calls
    char encoded[3 * HEAD_BYTES_MAX]; // the path, then the query
};

enum canonical_result {
    CANONICAL_OK,
    CANONICAL_ABSENT,   // a signed header was not sent
    CANONICAL_UNSIGNED, // host or an x-amz-* header is not among the signed
    CANONICAL_TOO_MANY
};
// Whether a list behind SignedHeaders= rises. A name that comes again and again would make a
// canonical request of any size from a small head.
bool canonical_names_rise(struct text names);
// Writes the hex digest of r's canonical request; `names` must rise.
enum canonical_result canonical_digest(struct canonical *c, const struct request *r,
                                       struct text names, char *hex);
#endif
