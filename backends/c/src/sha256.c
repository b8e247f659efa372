// HMAC is written here from two digests: OpenSSL's own allocates whenever the key changes.
#include "sha256.h"

#define BLOCK_BYTES 64 // RFC 2104's B for SHA-256

static EVP_MD *algorithm;

bool sha256_start(void) {
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL); // once: a fetch per request takes locks
    return algorithm != NULL;
}

void sha256_stop(void) {
    EVP_MD_free(algorithm);
    algorithm = NULL;
}

EVP_MD_CTX *sha256_create(void) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != NULL && EVP_DigestInit_ex(context, algorithm, NULL) == 1)
        return context;
    EVP_MD_CTX_free(context);
    return NULL;
}

void sha256_begin(EVP_MD_CTX *context) {
    EVP_DigestInit_ex(context, algorithm, NULL);
}

void sha256_add(EVP_MD_CTX *context, struct text bytes) {
    EVP_DigestUpdate(context, bytes.p, bytes.n);
}

void sha256_end(EVP_MD_CTX *context, uint8_t *digest) {
    EVP_DigestFinal_ex(context, digest, NULL);
}

void sha256_end_hex(EVP_MD_CTX *context, char *hex) {
    uint8_t digest[SHA256_BYTES];
    sha256_end(context, digest);
    text_put_hex(hex, digest, sizeof digest);
}

static void digest_with_pad(EVP_MD_CTX *context, const uint8_t *block, uint8_t pad,
                            struct text message, uint8_t *digest) {
    uint8_t padded[BLOCK_BYTES];
    for (size_t i = 0; i < sizeof padded; i++)
        padded[i] = block[i] ^ pad;
    sha256_begin(context);
    EVP_DigestUpdate(context, padded, sizeof padded);
    sha256_add(context, message);
    sha256_end(context, digest);
}

void sha256_hmac(EVP_MD_CTX *context, struct text key, struct text message, uint8_t *mac) {
    uint8_t block[BLOCK_BYTES] = {0}, inner[SHA256_BYTES];
    if (key.n <= sizeof block) {
        memcpy(block, key.p, key.n);
    } else {
        sha256_begin(context);
        sha256_add(context, key);
        sha256_end(context, block);
    }
    digest_with_pad(context, block, 0x36, message, inner);
    digest_with_pad(context, block, 0x5c, (struct text){(const char *)inner, sizeof inner}, mac);
}
