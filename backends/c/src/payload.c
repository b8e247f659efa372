// One digest serves in turn: of the content, or of each chunk and then of the trailer's lines.
#include "payload.h"
#include <openssl/crypto.h>

#define CHUNKS "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
#define CHUNKS_TRAILER CHUNKS "-TRAILER"

static bool from_hex(struct text hex, uint8_t *to, size_t n) {
    if (hex.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = text_hex_digit(hex.p[2 * i]), low = text_hex_digit(hex.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

bool payload_is_of_chunks(struct text content_sha256) {
    return text_is(content_sha256, TEXT(CHUNKS)) || text_is(content_sha256, TEXT(CHUNKS_TRAILER));
}

enum error_code payload_judge(struct text content_sha256, bool has_no_body) {
    uint8_t digest[SHA256_BYTES];
    if (text_is(content_sha256, TEXT("UNSIGNED-PAYLOAD")) ||
        text_is(content_sha256, TEXT("STREAMING-UNSIGNED-PAYLOAD-TRAILER")) ||
        payload_is_of_chunks(content_sha256))
        return ERROR_NONE;
    if (text_starts(content_sha256, TEXT("STREAMING-")))
        return ERROR_NOT_IMPLEMENTED;
    if (!from_hex(content_sha256, digest, sizeof digest))
        return ERROR_INVALID_ARGUMENT;
    // Where no body is read, nobody else would compare.
    return has_no_body && !text_is_nocase(content_sha256, TEXT(SHA256_OF_NOTHING))
               ? ERROR_CONTENT_SHA256
               : ERROR_NONE;
}

void payload_begin(struct payload *p, struct text content_sha256, const struct seal *seal) {
    p->seal = *seal;
    p->has_trailer = text_is(content_sha256, TEXT(CHUNKS_TRAILER));
    if (payload_is_of_chunks(content_sha256))
        p->kind = PAYLOAD_CHUNKS;
    else if (from_hex(content_sha256, p->expected, sizeof p->expected))
        p->kind = PAYLOAD_DIGEST;
    sha256_begin(p->sha256);
}

void payload_add(struct payload *p, struct text content) {
    if (p->kind != PAYLOAD_UNCHECKED)
        sha256_add(p->sha256, content);
}

bool payload_end_chunk(struct payload *p, struct text signature) {
    char hex[SHA256_HEX_BYTES];
    if (p->kind != PAYLOAD_CHUNKS)
        return true;
    sha256_end_hex(p->sha256, hex);
    sha256_begin(p->sha256);
    return seal_chunk(&p->seal, hex, signature);
}

bool payload_add_trailer(struct payload *p, struct text name, struct text value) {
    if (p->kind != PAYLOAD_CHUNKS)
        return true;
    if (!p->has_trailer)
        return false;
    if (text_is(name, TEXT("x-amz-trailer-signature"))) {
        p->has_trailer_signature = value.n == sizeof p->trailer_signature;
        if (p->has_trailer_signature)
            memcpy(p->trailer_signature, value.p, value.n);
        return true;
    }
    sha256_add(p->sha256, name);
    sha256_add(p->sha256, TEXT(":"));
    sha256_add(p->sha256, value);
    sha256_add(p->sha256, TEXT("\n"));
    return true;
}

bool payload_end_trailer(struct payload *p) {
    char hex[SHA256_HEX_BYTES];
    if (p->kind != PAYLOAD_CHUNKS || !p->has_trailer)
        return true;
    sha256_end_hex(p->sha256, hex);
    return p->has_trailer_signature &&
           seal_trailer(&p->seal, hex,
                        (struct text){p->trailer_signature, sizeof p->trailer_signature});
}

bool payload_end(struct payload *p) {
    uint8_t digest[SHA256_BYTES];
    if (p->kind != PAYLOAD_DIGEST)
        return true;
    sha256_end(p->sha256, digest);
    return CRYPTO_memcmp(digest, p->expected, sizeof digest) == 0;
}
