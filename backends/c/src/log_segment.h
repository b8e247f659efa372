// The files of the log: a directory that one process holds, and segments that are made whole before
// they are used. A function that fails leaves the reason in errno.
#ifndef PAUSEMARK_LOG_SEGMENT_H
#define PAUSEMARK_LOG_SEGMENT_H
#include "text.h"
#include <sys/uio.h>

#define LOG_SEGMENT_HEAD_BYTES 64
#define LOG_SEGMENT_NAME_BYTES 29 // with the NUL

struct log_segment_head {
    uint32_t epoch; // ordinal in this log, from 1
    uint64_t first_lsn;
    uint64_t bytes; // of the whole file
};
// Writes LOG_SEGMENT_HEAD_BYTES bytes.
void log_segment_put_head(char *to, struct log_segment_head head);
bool log_segment_read_head(struct text bytes, struct log_segment_head *head);

// "segment-<first LSN, 16 hex digits>.log"; writes LOG_SEGMENT_NAME_BYTES bytes.
void log_segment_put_name(char *to, uint64_t first_lsn);
bool log_segment_read_name(struct text name, uint64_t *first_lsn);

// Once it is open any thread may use it.
struct log_directory {
    const char *path; // borrowed
    int fd, lock;     // less than 0: none
};
// Makes the directory when it is missing. What it opened is closed by log_directory_close, also
// when it failed.
bool log_directory_open(struct log_directory *d, const char *path);
void log_directory_close(struct log_directory *d);
// False with EWOULDBLOCK when another process holds it.
bool log_directory_lock(struct log_directory *d);
// The first LSNs of all segments in order, allocated; what a crash left half made is removed.
bool log_directory_list(const struct log_directory *d, uint64_t **lsns, size_t *count);
bool log_directory_sync(const struct log_directory *d);
// A descriptor, less than 0 on failure.
int log_directory_open_segment(const struct log_directory *d, uint64_t first_lsn);
bool log_directory_remove_segment(const struct log_directory *d, uint64_t first_lsn);
// A file of zeros that has no segment's name yet, on the device when this returns. Less than 0 on
// failure, with nothing left behind.
int log_directory_make_zeros(const struct log_directory *d, const char *name, uint64_t bytes);
// Turns such a file into a segment.
bool log_directory_make_segment(const struct log_directory *d, int fd, const char *name,
                                struct log_segment_head head);
void log_directory_remove(const struct log_directory *d, const char *name);

// Writes zeros over [from, to).
bool log_write_zeros(int fd, uint64_t from, uint64_t to);
// All of it, in as few calls as the system allows; the pieces are used up.
bool log_write_all(int fd, struct iovec *pieces, size_t count, uint64_t at);
#endif
