// The checksums that clients send with a body: verified, kept with the object and told again.
#ifndef PAUSEMARK_CHECKSUM_H
#define PAUSEMARK_CHECKSUM_H
#include "text.h"

enum checksum_kind { CHECKSUM_CRC32, CHECKSUM_CRC32C, CHECKSUM_CRC64NVME, CHECKSUM_COUNT };
#define CHECKSUM_BASE64_BYTES_MAX 12

// A few of them, of one content.
struct checksums {
    unsigned kinds; // bit 1 << kind: its value counts
    uint64_t values[CHECKSUM_COUNT];
};

// Fills the tables. Call once before any thread starts.
void checksum_start(void);
// "x-amz-checksum-crc32" and so on.
struct text checksum_header(enum checksum_kind kind);
// The kind with this header, in whatever case; CHECKSUM_COUNT when it is none.
enum checksum_kind checksum_find(struct text header);
// Base64 of the value's big-endian bytes; returns the length. And back, false when it is not that.
size_t checksum_put(char *to, enum checksum_kind kind, uint64_t value);
bool checksum_read(enum checksum_kind kind, struct text base64, uint64_t *value);
static inline bool checksum_has(const struct checksums *c, enum checksum_kind kind) {
    return (c->kinds >> kind & 1) != 0;
}

enum checksum_verdict {
    CHECKSUM_GOOD,
    CHECKSUM_OTHER,     // another than the content's; also a crc32 that cannot be read
    CHECKSUM_MALFORMED, // not base64 of the right length
    CHECKSUM_MISSING    // announced for the trailer and not in it
};

// What one body's checksums must be. All zero begins: no checksum is computed that nobody sent.
struct checksum_check {
    struct checksums computed, in_head, in_trailer;
    unsigned announced, unreadable; // bits, of the trailer
};
// What the head says of one kind; `value.p` is NULL when it says nothing.
enum checksum_verdict checksum_expect(struct checksum_check *c, enum checksum_kind kind,
                                      struct text value);
void checksum_announce(struct checksum_check *c, struct text x_amz_trailer);
void checksum_add(struct checksum_check *c, struct text content);
// One line of the trailer; what is not announced is ignored.
void checksum_take_trailer(struct checksum_check *c, struct text name, struct text value);
enum checksum_verdict checksum_end_head(const struct checksum_check *c);
enum checksum_verdict checksum_end_trailer(const struct checksum_check *c);
#endif
