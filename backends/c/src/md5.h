// MD5 by OpenSSL, in contexts that need no memory beside themselves.
#ifndef PAUSEMARK_MD5_H
#define PAUSEMARK_MD5_H
#include "text.h"
#include <openssl/md5.h>

#define MD5_BYTES 16

// Belongs to one thread.
struct md5 {
    MD5_CTX state;
};

// begin, add as often as needed, end: over and over with the same context.
void md5_begin(struct md5 *m);
void md5_add(struct md5 *m, struct text bytes);
void md5_end(struct md5 *m, uint8_t *digest);
#endif
