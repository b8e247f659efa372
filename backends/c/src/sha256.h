// SHA-256 and HMAC-SHA-256 by OpenSSL, in contexts that are made once and used again.
#ifndef PAUSEMARK_SHA256_H
#define PAUSEMARK_SHA256_H
#include "text.h"
#include <openssl/evp.h>

#define SHA256_BYTES 32
#define SHA256_HEX_BYTES 64
#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// False when the machine's OpenSSL has no SHA-256. Call once.
bool sha256_start(void);
void sha256_stop(void);
// A context belongs to one thread; NULL when memory is exhausted. Ended by EVP_MD_CTX_free.
EVP_MD_CTX *sha256_create(void);

// begin, add as often as needed, end: over and over with the same context.
void sha256_begin(EVP_MD_CTX *context);
void sha256_add(EVP_MD_CTX *context, struct text bytes);
void sha256_end(EVP_MD_CTX *context, uint8_t *digest);
void sha256_end_hex(EVP_MD_CTX *context, char *hex);
// `mac` may be where the key lies.
void sha256_hmac(EVP_MD_CTX *context, struct text key, struct text message, uint8_t *mac);
#endif
