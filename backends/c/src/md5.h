// MD5 by OpenSSL, in contexts that are made once and used again.
#ifndef PAUSEMARK_MD5_H
#define PAUSEMARK_MD5_H
#include "text.h"
#include <openssl/evp.h>

#define MD5_BYTES 16

// False when the machine's OpenSSL has no MD5. Call once.
bool md5_start(void);
void md5_stop(void);
// A context belongs to one thread; NULL when memory is exhausted. Ended by EVP_MD_CTX_free.
EVP_MD_CTX *md5_create(void);

// begin, add as often as needed, end: over and over with the same context.
void md5_begin(EVP_MD_CTX *context);
void md5_add(EVP_MD_CTX *context, struct text bytes);
void md5_end(EVP_MD_CTX *context, uint8_t *digest);
#endif
