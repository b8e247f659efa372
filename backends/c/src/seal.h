// The chain of signatures of one request: its own, its chunks' and its trailer's.
#ifndef PAUSEMARK_SEAL_H
#define PAUSEMARK_SEAL_H
#include "sha256.h"

#define REGION_BYTES_MAX 64
#define SCOPE_BYTES_MAX (8 + 1 + REGION_BYTES_MAX + sizeof "/s3/aws4_request")
#define STAMP_BYTES BASIC_DATE_BYTES

struct seal {
    EVP_MD_CTX *sha256; // the worker's, borrowed
    uint8_t key[SHA256_BYTES];
    char stamp[STAMP_BYTES];
    size_t scope_n;
    char scope[SCOPE_BYTES_MAX];
    char signature[SHA256_HEX_BYTES]; // of the last link that was checked: ours, not the claimed
};

// Each computes the next signature of the chain from the hex digest of what it covers, and tells
// whether it is the claimed one, in constant time.
bool seal_request(struct seal *s, const char *canonical_hex, struct text claimed);
bool seal_chunk(struct seal *s, const char *data_hex, struct text claimed);
bool seal_trailer(struct seal *s, const char *lines_hex, struct text claimed);
#endif
