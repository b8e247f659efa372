// Signature Version 4 of a request's head: credential, date, canonical request, signature.
#include "auth.h"
#include "authorization.h"
#include "canonical.h"
#include "payload.h"
#include <openssl/crypto.h>
#include <stdlib.h>

#define DAY_BYTES 8

// Derived from a credential for the day and region that it was last used with.
struct signing_key {
    char day[DAY_BYTES], region[REGION_BYTES_MAX];
    size_t region_n;
    uint8_t key[SHA256_BYTES];
};

struct auth {
    const struct options *options;
    struct seal seal;
    struct canonical canonical;
    struct signing_key keys[CREDENTIALS_MAX];
};

struct auth *auth_create(const struct options *options) {
    struct auth *a = calloc(1, sizeof *a);
    EVP_MD_CTX *sha256 = sha256_create();
    if (a == NULL || sha256 == NULL) {
        free(a);
        EVP_MD_CTX_free(sha256);
        return NULL;
    }
    a->options = options;
    a->seal.sha256 = a->canonical.sha256 = sha256;
    return a;
}

void auth_destroy(struct auth *a) {
    if (a == NULL)
        return;
    EVP_MD_CTX_free(a->seal.sha256);
    OPENSSL_cleanse(a, sizeof *a);
    free(a);
}

const struct seal *auth_seal(const struct auth *a) {
    return &a->seal;
}

static bool find_credential(const struct options *o, struct text id, size_t *which) {
    for (*which = 0; *which < o->credential_count; ++*which) {
        if (text_is(o->credentials[*which].id, id))
            return true;
    }
    return false;
}

static bool read_date(const struct request *r, struct authorization *z) {
    if (z->is_query)
        return true; // it is part of the form there
    return r->amz_date.p != NULL ? text_from_basic_date(r->amz_date, &z->at_s)
                                 : text_from_http_date(r->date, &z->at_s);
}

static enum error_code check_date(struct auth *a, const struct request *r, struct authorization *z,
                                  int64_t wall_s) {
    if (!read_date(r, z))
        return ERROR_ACCESS_DENIED;
    text_put_basic_date(a->seal.stamp, z->at_s);
    if (!text_is(z->day, (struct text){a->seal.stamp, DAY_BYTES}))
        return ERROR_ACCESS_DENIED;
    if (z->at_s > wall_s + SKEW_S_MAX)
        return ERROR_TIME_SKEWED;
    if (z->is_query)
        return wall_s > z->at_s + z->expires_s ? ERROR_ACCESS_DENIED : ERROR_NONE;
    return z->at_s < wall_s - SKEW_S_MAX ? ERROR_TIME_SKEWED : ERROR_NONE;
}

static void derive(struct auth *a, const struct credential *credential, struct signing_key *k) {
    char first[4 + CREDENTIAL_BYTES_MAX] = "AWS4";
    struct text key = {(const char *)k->key, sizeof k->key};
    memcpy(first + 4, credential->secret.p, credential->secret.n);
    sha256_hmac(a->seal.sha256, (struct text){first, 4 + credential->secret.n},
                (struct text){k->day, sizeof k->day}, k->key);
    sha256_hmac(a->seal.sha256, key, (struct text){k->region, k->region_n}, k->key);
    sha256_hmac(a->seal.sha256, key, TEXT("s3"), k->key);
    sha256_hmac(a->seal.sha256, key, TEXT("aws4_request"), k->key);
}

static void load_key(struct auth *a, const struct authorization *z, size_t which) {
    struct signing_key *k = &a->keys[which];
    if (!text_is(z->day, (struct text){k->day, sizeof k->day}) ||
        !text_is(z->region, (struct text){k->region, k->region_n})) {
        memcpy(k->day, z->day.p, sizeof k->day);
        k->region_n = z->region.n;
        memcpy(k->region, z->region.p, z->region.n);
        derive(a, &a->options->credentials[which], k);
    }
    memcpy(a->seal.key, k->key, sizeof k->key);
    memcpy(a->seal.scope, z->scope.p, z->scope.n);
    a->seal.scope_n = z->scope.n;
}

static enum error_code check_signature(struct auth *a, const struct request *r,
                                       const struct authorization *z) {
    char hex[SHA256_HEX_BYTES];
    switch (canonical_digest(&a->canonical, r, z->signed_headers, hex)) {
    case CANONICAL_ABSENT:
        return ERROR_SIGNATURE;
    case CANONICAL_UNSIGNED:
        return ERROR_ACCESS_DENIED;
    case CANONICAL_TOO_MANY:
        return ERROR_INVALID_REQUEST;
    case CANONICAL_OK:
        break;
    }
    return seal_request(&a->seal, hex, z->signature) ? ERROR_NONE : ERROR_SIGNATURE;
}

static enum error_code verify(struct auth *a, struct request *r, struct authorization *z,
                              int64_t wall_s) {
    size_t which;
    if (!authorization_read_parts(z))
        return z->is_query ? ERROR_ACCESS_QUERY : ERROR_ACCESS_FORM;
    if (!find_credential(a->options, z->key_id, &which))
        return ERROR_INVALID_KEY_ID;
    enum error_code error = check_date(a, r, z, wall_s);
    if (error != ERROR_NONE)
        return error;
    if (r->content_sha256.p == NULL && !z->is_query)
        return ERROR_INVALID_REQUEST;
    if (r->content_sha256.p == NULL)
        r->content_sha256 = TEXT("UNSIGNED-PAYLOAD");
    load_key(a, z, which);
    error = check_signature(a, r, z);
    if (error == ERROR_NONE && z->is_query && payload_is_of_chunks(r->content_sha256))
        error = ERROR_NOT_IMPLEMENTED; // a URL's signature is no seed of theirs
    return error == ERROR_NONE ? payload_judge(r->content_sha256, r->message_done) : error;
}

enum error_code auth_check(struct auth *a, struct request *r, int64_t wall_s) {
    struct authorization z;
    bool is_sent = r->authorization.p != NULL;
    bool is_query = authorization_is_in_query(r->query);
    if (is_sent && is_query)
        return ERROR_INVALID_ARGUMENT;
    if (is_query && !authorization_read_query(r, &z))
        return ERROR_ACCESS_QUERY;
    if (is_sent && !authorization_read_header(r->authorization, &z))
        return ERROR_ACCESS_FORM;
    if (a == NULL)
        return ERROR_NONE;
    return is_sent || is_query ? verify(a, r, &z, wall_s) : ERROR_ACCESS_DENIED;
}
