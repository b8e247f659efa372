// The header's list and the query's six parameters, to the same views.
#include "authorization.h"
#include "canonical.h"
#include "seal.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define EXPIRES_S_MAX (7 * 86400)

// "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...": all three, none empty.
bool authorization_read_header(struct text header, struct authorization *z) {
    const struct {
        struct text name;
        struct text *value;
    } parts[] = {{TEXT("Credential="), &z->credential},
                 {TEXT("SignedHeaders="), &z->signed_headers},
                 {TEXT("Signature="), &z->signature}};
    *z = (struct authorization){.credential = {NULL, 0}};
    if (!text_starts(header, TEXT(ALGORITHM " ")))
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

bool authorization_is_in_query(struct text query) {
    struct text name, value;
    while (request_parameter(&query, &name, &value)) {
        if (text_is(name, TEXT("X-Amz-Algorithm")) || text_is(name, TEXT("X-Amz-Signature")))
            return true;
    }
    return false;
}

// Each of the parameters once, and not empty.
static bool take_parameters(struct request *r, const struct text *names, struct text *values,
                            size_t count) {
    struct text rest = r->query, name, value;
    while (request_parameter(&rest, &name, &value)) {
        size_t i = 0;
        while (i < count && !text_is(name, names[i]))
            i++;
        if (i == count)
            continue;
        if (values[i].p != NULL || !request_decode(r, value, &values[i]))
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (values[i].n == 0)
            return false;
    }
    return true;
}

bool authorization_read_query(struct request *r, struct authorization *z) {
    enum { ALGORITHM_IS, CREDENTIAL, DATE, EXPIRES, SIGNED_HEADERS, SIGNATURE, COUNT };
    static const struct text names[COUNT] = {[ALGORITHM_IS] = {"X-Amz-Algorithm", 15},
                                             [CREDENTIAL] = {"X-Amz-Credential", 16},
                                             [DATE] = {"X-Amz-Date", 10},
                                             [EXPIRES] = {"X-Amz-Expires", 13},
                                             [SIGNED_HEADERS] = {"X-Amz-SignedHeaders", 19},
                                             [SIGNATURE] = {"X-Amz-Signature", 15}};
    struct text values[COUNT] = {{NULL, 0}};
    uint64_t expires_s;
    *z = (struct authorization){.is_query = true};
    if (!take_parameters(r, names, values, COUNT) ||
        !text_is(values[ALGORITHM_IS], TEXT(ALGORITHM)) ||
        !text_from_basic_date(values[DATE], &z->at_s) ||
        !text_to_u64(values[EXPIRES], &expires_s) || expires_s < 1 || expires_s > EXPIRES_S_MAX)
        return false;
    z->expires_s = (int64_t)expires_s;
    z->credential = values[CREDENTIAL];
    z->signed_headers = values[SIGNED_HEADERS];
    z->signature = values[SIGNATURE];
    return true;
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
bool authorization_read_parts(struct authorization *z) {
    struct text service, request;
    z->key_id = z->credential;
    if (!cut_last(&z->key_id, &request) || !cut_last(&z->key_id, &service) ||
        !cut_last(&z->key_id, &z->region) || !cut_last(&z->key_id, &z->day))
        return false;
    z->scope = (struct text){z->day.p, (size_t)(z->credential.p + z->credential.n - z->day.p)};
    return text_is(service, TEXT("s3")) && text_is(request, TEXT("aws4_request")) &&
           z->region.n <= REGION_BYTES_MAX && canonical_names_rise(z->signed_headers);
}
