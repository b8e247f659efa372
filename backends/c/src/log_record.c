// The offsets of LOG.md's table, and what makes a record valid.
#include "log_record.h"
#include "crc32c.h"

#define MAGIC TEXT("PMR1")
enum {
    AT_CRC = 4,
    AT_LENGTH = 8,
    AT_LSN = 16,
    AT_DURABLE_LSN = 24,
    AT_EPOCH = 32,
    AT_OPERATION = 36,
    AT_DATA_PLACE = 37,
    AT_PARTS = 38,
    AT_KEY_BYTES = 40,
    AT_ZERO = 42,
    AT_METADATA_BYTES = 44,
    AT_DATA_BYTES = 48,
    AT_MD5 = 56,
    AT_TIME = 72
};

void log_record_put(char *to, const struct log_record *r) {
    memcpy(to, MAGIC.p, MAGIC.n);
    log_put_number(to + AT_CRC, 4, 0);
    log_put_number(to + AT_LENGTH, 8, log_record_length(r));
    log_put_number(to + AT_LSN, 8, r->lsn);
    log_put_number(to + AT_DURABLE_LSN, 8, r->durable_lsn);
    log_put_number(to + AT_EPOCH, 4, r->epoch);
    log_put_number(to + AT_OPERATION, 1, r->operation);
    log_put_number(to + AT_DATA_PLACE, 1, r->data_place);
    log_put_number(to + AT_PARTS, 2, r->parts);
    log_put_number(to + AT_KEY_BYTES, 2, r->key.n);
    log_put_number(to + AT_ZERO, 2, 0);
    log_put_number(to + AT_METADATA_BYTES, 4, r->metadata.n);
    log_put_number(to + AT_DATA_BYTES, 8, r->data_bytes);
    memcpy(to + AT_MD5, r->md5, sizeof r->md5);
    log_put_number(to + AT_TIME, 8, (uint64_t)r->time_ns);
    memcpy(to + LOG_RECORD_HEAD_BYTES, r->key.p, r->key.n);
}

void log_record_put_crc(char *head, uint32_t crc) {
    log_put_number(head + AT_CRC, 4, crc);
}

uint32_t log_record_claimed_epoch(struct text bytes) {
    return bytes.n < LOG_RECORD_HEAD_BYTES ? 0 : (uint32_t)log_get_number(bytes.p + AT_EPOCH, 4);
}

// Lengths first: the CRC is only computed over what they agree on.
static bool lengths_fit(struct text bytes, uint64_t *length) {
    uint64_t key_n = log_get_number(bytes.p + AT_KEY_BYTES, 2);
    uint64_t metadata_n = log_get_number(bytes.p + AT_METADATA_BYTES, 4);
    uint64_t before_data = LOG_RECORD_HEAD_BYTES + key_n + metadata_n;
    *length = log_get_number(bytes.p + AT_LENGTH, 8);
    return key_n >= 1 && key_n <= LOG_KEY_BYTES_MAX && metadata_n <= LOG_METADATA_BYTES_MAX &&
           *length <= bytes.n && *length >= before_data &&
           *length - before_data == log_get_number(bytes.p + AT_DATA_BYTES, 8);
}

bool log_record_read(struct text bytes, uint32_t epoch, struct log_record *r) {
    uint64_t length;
    const char *p = bytes.p;
    if (bytes.n < LOG_RECORD_HEAD_BYTES || !text_starts(bytes, MAGIC) ||
        log_record_claimed_epoch(bytes) != epoch || log_get_number(p + AT_ZERO, 2) != 0 ||
        !lengths_fit(bytes, &length) ||
        log_get_number(p + AT_CRC, 4) != crc32c(0, p + AT_LENGTH, length - AT_LENGTH))
        return false;
    *r = (struct log_record){.operation = (uint8_t)p[AT_OPERATION],
                             .data_place = (uint8_t)p[AT_DATA_PLACE],
                             .parts = (uint16_t)log_get_number(p + AT_PARTS, 2),
                             .epoch = epoch,
                             .lsn = log_get_number(p + AT_LSN, 8),
                             .durable_lsn = log_get_number(p + AT_DURABLE_LSN, 8),
                             .time_ns = (int64_t)log_get_number(p + AT_TIME, 8),
                             .data_bytes = log_get_number(p + AT_DATA_BYTES, 8)};
    memcpy(r->md5, p + AT_MD5, sizeof r->md5);
    r->key = (struct text){p + LOG_RECORD_HEAD_BYTES, log_get_number(p + AT_KEY_BYTES, 2)};
    r->metadata = (struct text){r->key.p + r->key.n, log_get_number(p + AT_METADATA_BYTES, 4)};
    r->data = (struct text){r->metadata.p + r->metadata.n, r->data_bytes};
    return true;
}

bool log_record_is_supported(const struct log_record *r) {
    return r->operation >= LOG_PUT_OBJECT && r->operation <= LOG_DELETE_BUCKET &&
           r->data_place == 0;
}
