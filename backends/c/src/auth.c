// Signature Version 4 of a request's head: credential, date, canonical request, signature.
#include "auth.h"
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

struct authorization {
    struct text credential, signed_headers, signature;
    struct text key_id, scope, day, region; // parts of the credential
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

// "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...": all three, none empty.
static bool read_header(struct text header, struct authorization *z) {
    const struct {
        struct text name;
        struct text *value;
    } parts[] = {{TEXT("Credential="), &z->credential},
                 {TEXT("SignedHeaders="), &z->signed_headers},
                 {TEXT("Signature="), &z->signature}};
    *z = (struct authorization){.credential = {NULL, 0}};
    if (!text_starts(header, TEXT("AWS4-HMAC-SHA256 ")))
        return false;
    header.p += 17;
    header.n -= 17;
    while (header.n > 0) {
        struct text part = text_trim(text_cut(&header, ','));
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            size_t n = parts[i].name.n;
            if (text_starts(part, parts[i].name))
                *parts[i].value = (struct text){part.p + n, part.n - n};
        }
    }
    return z->credential.n > 0 && z->signed_headers.n > 0 && z->signature.n > 0;
}

// Cuts `last` and the slash before it off.
static bool cut_last(struct text *whole, struct text *last) {
    const char *slash = whole->n == 0 ? NULL : memrchr(whole->p, '/', whole->n);
    if (slash == NULL)
        return false;
    *last = (struct text){slash + 1, (size_t)(whole->p + whole->n - slash) - 1};
    whole->n = (size_t)(slash - whole->p);
    return true;
}

// "ID/day/region/s3/aws4_request", read from its end: an id may hold slashes.
static bool read_credential(struct authorization *z) {
    struct text service, request;
    z->key_id = z->credential;
    if (!cut_last(&z->key_id, &request) || !cut_last(&z->key_id, &service) ||
        !cut_last(&z->key_id, &z->region) || !cut_last(&z->key_id, &z->day))
        return false;
    z->scope = (struct text){z->day.p, (size_t)(z->credential.p + z->credential.n - z->day.p)};
    return text_is(service, TEXT("s3")) && text_is(request, TEXT("aws4_request")) &&
           z->region.n <= REGION_BYTES_MAX;
}

static bool find_credential(const struct options *o, struct text id, size_t *which) {
    for (*which = 0; *which < o->credential_count; ++*which) {
        if (text_is(o->credentials[*which].id, id))
            return true;
    }
    return false;
}

static enum error_code check_date(struct auth *a, const struct request *r,
                                  const struct authorization *z, int64_t wall_s) {
    int64_t at_s;
    bool known = r->amz_date.p != NULL ? text_from_basic_date(r->amz_date, &at_s)
                                       : text_from_http_date(r->date, &at_s);
    if (!known)
        return ERROR_ACCESS_DENIED;
    text_put_basic_date(a->seal.stamp, at_s);
    if (!text_is(z->day, (struct text){a->seal.stamp, DAY_BYTES}))
        return ERROR_ACCESS_DENIED;
    return at_s < wall_s - SKEW_S_MAX || at_s > wall_s + SKEW_S_MAX ? ERROR_TIME_SKEWED
                                                                    : ERROR_NONE;
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
    case CANONICAL_UNSORTED:
        return ERROR_ACCESS_FORM;
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

static enum error_code verify(struct auth *a, const struct request *r, struct authorization *z,
                              int64_t wall_s) {
    size_t which;
    if (!read_credential(z))
        return ERROR_ACCESS_FORM;
    if (!find_credential(a->options, z->key_id, &which))
        return ERROR_INVALID_KEY_ID;
    enum error_code error = check_date(a, r, z, wall_s);
    if (error != ERROR_NONE)
        return error;
    if (r->content_sha256.p == NULL)
        return ERROR_INVALID_REQUEST;
    load_key(a, z, which);
    error = check_signature(a, r, z);
    return error == ERROR_NONE ? payload_judge(r->content_sha256, r->message_done) : error;
}

static bool query_is_signed(struct text query) {
    struct text name, value;
    while (request_parameter(&query, &name, &value)) {
        if (text_is(name, TEXT("X-Amz-Signature")))
            return true;
    }
    return false;
}

enum error_code auth_check(struct auth *a, const struct request *r, int64_t wall_s) {
    struct authorization z;
    bool is_sent = r->authorization.p != NULL;
    if (is_sent && !read_header(r->authorization, &z))
        return ERROR_ACCESS_FORM;
    if (query_is_signed(r->query))
        return ERROR_NOT_IMPLEMENTED;
    if (a == NULL)
        return ERROR_NONE;
    return is_sent ? verify(a, r, &z, wall_s) : ERROR_ACCESS_DENIED;
}
