// Names, heads and the order of syncs that makes a new segment safe to rely on.
#include "log_segment.h"
#include "crc32c.h"
#include "log_record.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define MAGIC TEXT("PAUSELOG")
#define PREFIX TEXT("segment-")
#define SUFFIX TEXT(".log")
#define VERSION 1
#define LSN_DIGITS 16
#define ZEROS_BYTES ((size_t)1 << 20)
#define FILE_MODE 0644
enum {
    AT_VERSION = 8,
    AT_EPOCH = 12,
    AT_FIRST_LSN = 16,
    AT_BYTES = 24,
    AT_CRC = 32,
    AT_ZEROS = 36
};

static const char zeros[ZEROS_BYTES];

void log_segment_put_head(char *to, struct log_segment_head head) {
    memset(to, 0, LOG_SEGMENT_HEAD_BYTES);
    memcpy(to, MAGIC.p, MAGIC.n);
    log_put_number(to + AT_VERSION, 4, VERSION);
    log_put_number(to + AT_EPOCH, 4, head.epoch);
    log_put_number(to + AT_FIRST_LSN, 8, head.first_lsn);
    log_put_number(to + AT_BYTES, 8, head.bytes);
    log_put_number(to + AT_CRC, 4, crc32c(0, to, AT_CRC));
}

bool log_segment_read_head(struct text bytes, struct log_segment_head *head) {
    const char *p = bytes.p;
    if (bytes.n < LOG_SEGMENT_HEAD_BYTES || !text_starts(bytes, MAGIC) ||
        log_get_number(p + AT_VERSION, 4) != VERSION ||
        log_get_number(p + AT_CRC, 4) != crc32c(0, p, AT_CRC) ||
        memcmp(p + AT_ZEROS, zeros, LOG_SEGMENT_HEAD_BYTES - AT_ZEROS) != 0)
        return false;
    *head = (struct log_segment_head){.epoch = (uint32_t)log_get_number(p + AT_EPOCH, 4),
                                      .first_lsn = log_get_number(p + AT_FIRST_LSN, 8),
                                      .bytes = log_get_number(p + AT_BYTES, 8)};
    return true;
}

void log_segment_put_name(char *to, uint64_t first_lsn) {
    uint8_t big_endian[LSN_DIGITS / 2];
    for (size_t i = sizeof big_endian; i-- > 0; first_lsn >>= 8)
        big_endian[i] = (uint8_t)(first_lsn & 255);
    memcpy(to, PREFIX.p, PREFIX.n);
    text_put_hex(to + PREFIX.n, big_endian, sizeof big_endian);
    memcpy(to + PREFIX.n + LSN_DIGITS, SUFFIX.p, SUFFIX.n + 1); // with its NUL
}

bool log_segment_read_name(struct text name, uint64_t *first_lsn) {
    char canonical[LOG_SEGMENT_NAME_BYTES];
    uint64_t lsn = 0;
    if (name.n != LOG_SEGMENT_NAME_BYTES - 1)
        return false;
    for (size_t i = 0; i < LSN_DIGITS; i++)
        lsn = lsn << 4 | (uint64_t)(text_hex_digit(name.p[PREFIX.n + i]) & 15);
    log_segment_put_name(canonical, lsn);
    *first_lsn = lsn;
    return memcmp(name.p, canonical, name.n) == 0;
}

int log_directory_open_segment(const struct log_directory *d, uint64_t first_lsn) {
    char name[LOG_SEGMENT_NAME_BYTES];
    log_segment_put_name(name, first_lsn);
    return openat(d->fd, name, O_RDWR | O_CLOEXEC);
}

bool log_directory_remove_segment(const struct log_directory *d, uint64_t first_lsn) {
    char name[LOG_SEGMENT_NAME_BYTES];
    log_segment_put_name(name, first_lsn);
    return unlinkat(d->fd, name, 0) == 0;
}

void log_directory_remove(const struct log_directory *d, const char *name) {
    unlinkat(d->fd, name, 0);
}

// The blocks are asked for first, so that a full disk is known before anything is written.
int log_directory_make_zeros(const struct log_directory *d, const char *name, uint64_t bytes) {
    int fd = openat(d->fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return fd;
    int why = posix_fallocate(fd, 0, (off_t)bytes);
    if (why == 0 && log_write_zeros(fd, 0, bytes) && fdatasync(fd) == 0)
        return fd;
    why = why != 0 ? why : errno;
    close(fd);
    log_directory_remove(d, name);
    errno = why;
    return -1;
}

bool log_directory_make_segment(const struct log_directory *d, int fd, const char *name,
                                struct log_segment_head head) {
    char bytes[LOG_SEGMENT_HEAD_BYTES], final_name[LOG_SEGMENT_NAME_BYTES];
    struct iovec piece = {bytes, sizeof bytes};
    log_segment_put_head(bytes, head);
    log_segment_put_name(final_name, head.first_lsn);
    return log_write_all(fd, &piece, 1, 0) && fdatasync(fd) == 0 &&
           renameat(d->fd, name, d->fd, final_name) == 0 && log_directory_sync(d);
}

bool log_write_zeros(int fd, uint64_t from, uint64_t to) {
    while (from < to) {
        size_t n = to - from < ZEROS_BYTES ? (size_t)(to - from) : ZEROS_BYTES;
        struct iovec piece = {(void *)(uintptr_t)zeros, n};
        if (!log_write_all(fd, &piece, 1, from))
            return false;
        from += n;
    }
    return true;
}

bool log_write_all(int fd, struct iovec *pieces, size_t count, uint64_t at) {
    while (count > 0) {
        int asked = count < IOV_MAX ? (int)count : IOV_MAX;
        ssize_t written = pwritev(fd, pieces, asked, (off_t)at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        at += (uint64_t)written;
        size_t rest = (size_t)written;
        for (; count > 0 && rest >= pieces->iov_len; pieces++, count--)
            rest -= pieces->iov_len;
        if (count > 0) {
            pieces->iov_base = (char *)pieces->iov_base + rest;
            pieces->iov_len -= rest;
        }
    }
    return true;
}
