// What a verified signature claims of the body behind it: its digest, or signed chunks.
#ifndef PAUSEMARK_PAYLOAD_H
#define PAUSEMARK_PAYLOAD_H
#include "answer.h"
#include "seal.h"

struct payload {
    enum { PAYLOAD_UNCHECKED, PAYLOAD_DIGEST, PAYLOAD_CHUNKS } kind;
    bool has_trailer; // a signed one must follow the last chunk
    bool has_trailer_signature;
    EVP_MD_CTX *sha256;
    uint8_t expected[SHA256_BYTES];
    char trailer_signature[SHA256_HEX_BYTES];
    struct seal seal;
};

// Whether x-amz-content-sha256 announces chunks that are signed.
bool payload_is_of_chunks(struct text content_sha256);
// What x-amz-content-sha256 may say: a digest (without a body that of nothing), or a kind we know.
enum error_code payload_judge(struct text content_sha256, bool has_no_body);
// Only after a good judgement; `seal` is the verified request's.
void payload_begin(struct payload *p, struct text content_sha256, const struct seal *seal);
void payload_add(struct payload *p, struct text content);
// The functions of chunks do nothing but for PAYLOAD_CHUNKS. False on a wrong or absent signature.
bool payload_end_chunk(struct payload *p, struct text signature);
// False where no trailer may stand, since nobody would have signed it.
bool payload_add_trailer(struct payload *p, struct text name, struct text value);
bool payload_end_trailer(struct payload *p);
// Whether the whole content has the digest that was signed.
bool payload_end(struct payload *p);
#endif
