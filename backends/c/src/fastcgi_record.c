// Big-endian fields, lengths of one or four bytes.
#include "fastcgi_record.h"

enum { VERSION = 1, NO_REQUEST = 0 };

bool fastcgi_read_header(const char *from, struct fastcgi_header *h) {
    const uint8_t *b = (const uint8_t *)from;
    *h = (struct fastcgi_header){.type = b[1],
                                 .request_id = (uint16_t)(b[2] << 8 | b[3]),
                                 .content_n = (size_t)(b[4] << 8 | b[5]),
                                 .padding_n = b[6]};
    return b[0] == VERSION;
}

// One byte, or four with the first bit set.
static bool take_length(struct text *rest, size_t *length) {
    const uint8_t *b = (const uint8_t *)rest->p;
    size_t n = rest->n > 0 && b[0] >> 7 != 0 ? 4 : 1;
    if (rest->n < n)
        return false;
    *length =
        n == 1 ? b[0] : (size_t)(b[0] & 0x7f) << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    rest->p += n;
    rest->n -= n;
    return true;
}

static bool take(struct text *rest, size_t n, struct text *piece) {
    if (n > rest->n)
        return false;
    *piece = (struct text){rest->p, n};
    rest->p += n;
    rest->n -= n;
    return true;
}

bool fastcgi_next_pair(struct text *rest, struct text *name, struct text *value, bool *is_whole) {
    size_t name_n, value_n;
    *is_whole = rest->n == 0;
    return take_length(rest, &name_n) && take_length(rest, &value_n) && take(rest, name_n, name) &&
           take(rest, value_n, value);
}

void fastcgi_put_header(char *to, enum fastcgi_type type, uint16_t request_id, size_t content_n) {
    const uint8_t header[FASTCGI_HEADER_BYTES] = {VERSION,
                                                  (uint8_t)type,
                                                  (uint8_t)(request_id >> 8),
                                                  (uint8_t)request_id,
                                                  (uint8_t)(content_n >> 8),
                                                  (uint8_t)content_n};
    memcpy(to, header, sizeof header);
}

size_t fastcgi_put_end(char *to, uint16_t request_id, enum fastcgi_status status) {
    const char content[8] = {0, 0, 0, 0, (char)status}; // the application's status is 0
    fastcgi_put_header(to, FASTCGI_END_REQUEST, request_id, sizeof content);
    memcpy(to + FASTCGI_HEADER_BYTES, content, sizeof content);
    return FASTCGI_HEADER_BYTES + sizeof content;
}

size_t fastcgi_put_last(char *to, uint16_t request_id) {
    fastcgi_put_header(to, FASTCGI_STDOUT, request_id, 0);
    return FASTCGI_HEADER_BYTES +
           fastcgi_put_end(to + FASTCGI_HEADER_BYTES, request_id, FASTCGI_REQUEST_COMPLETE);
}

size_t fastcgi_put_unknown(char *to, uint8_t type) {
    const char content[8] = {(char)type};
    fastcgi_put_header(to, FASTCGI_UNKNOWN_TYPE, NO_REQUEST, sizeof content);
    memcpy(to + FASTCGI_HEADER_BYTES, content, sizeof content);
    return FASTCGI_HEADER_BYTES + sizeof content;
}

static size_t put_pair(char *to, struct text name, uint64_t value) {
    size_t value_n = text_put_u64(to + 2 + name.n, value);
    to[0] = (char)name.n;
    to[1] = (char)value_n;
    memcpy(to + 2, name.p, name.n);
    return 2 + name.n + value_n;
}

static bool asks_for(struct text asked, struct text wanted) {
    struct text name, value;
    bool is_whole;
    while (fastcgi_next_pair(&asked, &name, &value, &is_whole)) {
        if (text_is(name, wanted))
            return true;
    }
    return false;
}

size_t fastcgi_put_values(char *to, struct text asked, unsigned connections_max) {
    const struct {
        struct text name;
        unsigned value;
    } known[] = {{TEXT("FCGI_MAX_CONNS"), connections_max},
                 {TEXT("FCGI_MAX_REQS"), connections_max},
                 {TEXT("FCGI_MPXS_CONNS"), 0}};
    size_t n = FASTCGI_HEADER_BYTES;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (asks_for(asked, known[i].name))
            n += put_pair(to + n, known[i].name, known[i].value);
    }
    fastcgi_put_header(to, FASTCGI_GET_VALUES_RESULT, NO_REQUEST, n - FASTCGI_HEADER_BYTES);
    return n;
}
