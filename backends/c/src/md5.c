// One algorithm for the whole process.
#include "md5.h"

static EVP_MD *algorithm;

bool md5_start(void) {
    algorithm = EVP_MD_fetch(NULL, "MD5", NULL); // once: a fetch per request takes locks
    return algorithm != NULL;
}

void md5_stop(void) {
    EVP_MD_free(algorithm);
    algorithm = NULL;
}

EVP_MD_CTX *md5_create(void) {
    return EVP_MD_CTX_new();
}

void md5_begin(EVP_MD_CTX *context) {
    EVP_DigestInit_ex(context, algorithm, NULL);
}

void md5_add(EVP_MD_CTX *context, struct text bytes) {
    EVP_DigestUpdate(context, bytes.p, bytes.n);
}

void md5_end(EVP_MD_CTX *context, uint8_t *digest) {
    EVP_DigestFinal_ex(context, digest, NULL);
}
