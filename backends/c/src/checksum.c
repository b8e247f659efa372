// Three algorithms behind one table.
#include "checksum.h"
#include "crc32c.h"
#include "crc64nvme.h"
#include <zlib.h>

#define BIT(kind) (1u << (kind))

static const struct {
    struct text header;
    size_t bytes;
} algorithms[CHECKSUM_COUNT] = {[CHECKSUM_CRC32] = {{"x-amz-checksum-crc32", 20}, 4},
                                [CHECKSUM_CRC32C] = {{"x-amz-checksum-crc32c", 21}, 4},
                                [CHECKSUM_CRC64NVME] = {{"x-amz-checksum-crc64nvme", 24}, 8}};

void checksum_start(void) {
    crc32c_start();
    crc64nvme_start();
}

struct text checksum_header(enum checksum_kind kind) {
    return algorithms[kind].header;
}

enum checksum_kind checksum_find(struct text header) {
    enum checksum_kind kind = CHECKSUM_CRC32;
    while (kind < CHECKSUM_COUNT && !text_is_nocase(header, algorithms[kind].header))
        kind++;
    return kind;
}

static uint64_t extend(enum checksum_kind kind, uint64_t value, struct text content) {
    switch (kind) {
    case CHECKSUM_CRC32C:
        return crc32c((uint32_t)value, content.p, content.n);
    case CHECKSUM_CRC64NVME:
        return crc64nvme(value, content.p, content.n);
    default: // a piece of content is never longer than the worker's input
        return crc32((uint32_t)value, (const Bytef *)content.p, (uInt)content.n);
    }
}

size_t checksum_put(char *to, enum checksum_kind kind, uint64_t value) {
    uint8_t big_endian[8];
    size_t n = algorithms[kind].bytes;
    for (size_t i = 0; i < n; i++)
        big_endian[i] = (uint8_t)(value >> 8 * (n - 1 - i));
    return text_put_base64(to, big_endian, n);
}

bool checksum_read(enum checksum_kind kind, struct text base64, uint64_t *value) {
    uint8_t big_endian[8];
    if (!text_from_base64(base64, big_endian, algorithms[kind].bytes))
        return false;
    *value = 0;
    for (size_t i = 0; i < algorithms[kind].bytes; i++)
        *value = *value << 8 | big_endian[i];
    return true;
}

// The contract's one exception: a crc32 that is no base64 is a wrong one.
static enum checksum_verdict unreadable(enum checksum_kind kind) {
    return kind == CHECKSUM_CRC32 ? CHECKSUM_OTHER : CHECKSUM_MALFORMED;
}

enum checksum_verdict checksum_expect(struct checksum_check *c, enum checksum_kind kind,
                                      struct text value) {
    if (value.p == NULL)
        return CHECKSUM_GOOD;
    if (!checksum_read(kind, value, &c->in_head.values[kind]))
        return unreadable(kind);
    c->in_head.kinds |= BIT(kind);
    c->computed.kinds |= BIT(kind);
    return CHECKSUM_GOOD;
}

void checksum_announce(struct checksum_check *c, struct text x_amz_trailer) {
    while (x_amz_trailer.n > 0) {
        enum checksum_kind kind = checksum_find(text_trim(text_cut(&x_amz_trailer, ',')));
        if (kind != CHECKSUM_COUNT)
            c->announced |= BIT(kind);
    }
    c->computed.kinds |= c->announced;
}

void checksum_add(struct checksum_check *c, struct text content) {
    for (unsigned kind = 0; kind < CHECKSUM_COUNT; kind++) {
        if (checksum_has(&c->computed, kind))
            c->computed.values[kind] = extend(kind, c->computed.values[kind], content);
    }
}

void checksum_take_trailer(struct checksum_check *c, struct text name, struct text value) {
    enum checksum_kind kind = checksum_find(name);
    if (kind == CHECKSUM_COUNT || (c->announced & BIT(kind)) == 0)
        return;
    if (checksum_read(kind, value, &c->in_trailer.values[kind]))
        c->in_trailer.kinds |= BIT(kind);
    else
        c->unreadable |= BIT(kind);
}

static enum checksum_verdict compare(const struct checksums *computed,
                                     const struct checksums *expected) {
    for (unsigned kind = 0; kind < CHECKSUM_COUNT; kind++) {
        if (checksum_has(expected, kind) && computed->values[kind] != expected->values[kind])
            return CHECKSUM_OTHER;
    }
    return CHECKSUM_GOOD;
}

enum checksum_verdict checksum_end_head(const struct checksum_check *c) {
    return compare(&c->computed, &c->in_head);
}

enum checksum_verdict checksum_end_trailer(const struct checksum_check *c) {
    if ((c->in_trailer.kinds | c->unreadable) != c->announced)
        return CHECKSUM_MISSING;
    for (unsigned kind = 0; kind < CHECKSUM_COUNT; kind++) {
        if ((c->unreadable & BIT(kind)) != 0)
            return unreadable(kind);
    }
    return compare(&c->computed, &c->in_trailer);
}
