// One record of the log, to bytes and back (backends/LOG.md); knows nothing of files or objects.
#ifndef PAUSEMARK_LOG_RECORD_H
#define PAUSEMARK_LOG_RECORD_H
#include "text.h"

#define LOG_RECORD_HEAD_BYTES 80
#define LOG_KEY_BYTES_MAX 1088
#define LOG_METADATA_BYTES_MAX 16384

enum log_operation {
    LOG_PUT_OBJECT = 1,
    LOG_DELETE_OBJECT = 2,
    LOG_CREATE_BUCKET = 3,
    LOG_DELETE_BUCKET = 4
};

struct log_record {
    uint8_t operation, data_place; // as they stand in the log, which may be of a later version
    uint16_t parts;
    uint32_t epoch;
    uint64_t lsn, durable_lsn;
    int64_t time_ns; // since 1970 UTC
    uint8_t md5[16];
    struct text key, metadata, data; // views; a writer sets data_bytes alone
    uint64_t data_bytes;
};

// Without the fill behind it.
static inline uint64_t log_record_length(const struct log_record *r) {
    return LOG_RECORD_HEAD_BYTES + r->key.n + r->metadata.n + r->data_bytes;
}
// Every record begins at a multiple of 8.
static inline uint64_t log_round_up(uint64_t bytes) {
    return (bytes + 7) / 8 * 8;
}

// Writes head and key; metadata and data follow them. The CRC is still missing.
void log_record_put(char *to, const struct log_record *r);
// Completes the head; `crc` covers everything from byte 8 on, data included.
void log_record_put_crc(char *head, uint32_t crc);

// The record at the beginning of `bytes`, which end with its segment. False when magic, epoch,
// lengths or CRC are not those of a record of this segment.
bool log_record_read(struct text bytes, uint32_t epoch, struct log_record *r);
// The epoch that the head claims, for where the segment's own is lost; 0 when there is no head.
uint32_t log_record_claimed_epoch(struct text bytes);
// Operation and data place are ones that this version can do.
bool log_record_is_supported(const struct log_record *r);

// The lowest `n` bytes of a number, little endian on every machine.
static inline void log_put_number(char *to, size_t n, uint64_t value) {
    for (size_t i = 0; i < n; i++, value >>= 8)
        to[i] = (char)(value & 255);
}
static inline uint64_t log_get_number(const char *from, size_t n) {
    uint64_t value = 0;
    while (n-- > 0)
        value = value << 8 | (uint8_t)from[n];
    return value;
}
#endif
