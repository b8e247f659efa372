// The low-level calls: EVP_DigestInit_ex of OpenSSL 3.0 allocates its state anew for every digest.
#define OPENSSL_SUPPRESS_DEPRECATED // here alone, for that reason; they run the same code as EVP
#include "md5.h"

// None of the three can fail: they return 1 whatever they are given.
void md5_begin(struct md5 *m) {
    MD5_Init(&m->state);
}

void md5_add(struct md5 *m, struct text bytes) {
    MD5_Update(&m->state, bytes.p, bytes.n);
}

void md5_end(struct md5 *m, uint8_t *digest) {
    MD5_Final(digest, &m->state);
}
