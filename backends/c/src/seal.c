// The three strings to sign of Signature Version 4; they differ in their first line and their tail.
#include "seal.h"
#include <openssl/crypto.h>

#define HEX(p) ((struct text){(p), SHA256_HEX_BYTES})

// Signs `head`, stamp, scope and `tail`, a line each.
static bool sign(struct seal *s, struct text head, const struct text *tail, size_t tail_n,
                 struct text claimed) {
    char lines[32 + STAMP_BYTES + SCOPE_BYTES_MAX + 3 * (SHA256_HEX_BYTES + 1)];
    struct text all[6] = {head, {s->stamp, sizeof s->stamp}, {s->scope, s->scope_n}};
    uint8_t mac[SHA256_BYTES];
    size_t n = 0;
    memcpy(all + 3, tail, tail_n * sizeof *tail);
    for (size_t i = 0; i < 3 + tail_n; i++) {
        if (i > 0)
            lines[n++] = '\n';
        memcpy(lines + n, all[i].p, all[i].n);
        n += all[i].n;
    }
    sha256_hmac(s->sha256, (struct text){(const char *)s->key, sizeof s->key},
                (struct text){lines, n}, mac);
    text_put_hex(s->signature, mac, sizeof mac);
    return claimed.n == sizeof s->signature &&
           CRYPTO_memcmp(s->signature, claimed.p, sizeof s->signature) == 0;
}

bool seal_request(struct seal *s, const char *canonical_hex, struct text claimed) {
    struct text tail[] = {HEX(canonical_hex)};
    return sign(s, TEXT("AWS4-HMAC-SHA256"), tail, 1, claimed);
}

bool seal_chunk(struct seal *s, const char *data_hex, struct text claimed) {
    struct text tail[] = {HEX(s->signature), TEXT(SHA256_OF_NOTHING), HEX(data_hex)};
    return sign(s, TEXT("AWS4-HMAC-SHA256-PAYLOAD"), tail, 3, claimed);
}

bool seal_trailer(struct seal *s, const char *lines_hex, struct text claimed) {
    struct text tail[] = {HEX(s->signature), HEX(lines_hex)};
    return sign(s, TEXT("AWS4-HMAC-SHA256-TRAILER"), tail, 2, claimed);
}
