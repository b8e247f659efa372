// Appending, and the change from one segment to the next.
#include "log_journal.h"
#include <errno.h>
#include <unistd.h>

#define OWN_NAME "segment-own.log.new" // made by the writer itself

bool log_journal_open(struct log_journal *j, const struct log_directory *d,
                      struct log_limits limits, const struct log_end *from) {
    *j = (struct log_journal){.directory = d,
                              .limits = limits,
                              .fd = -1,
                              .epoch = from->epoch,
                              .offset = from->offset,
                              .segment_bytes = from->segment_bytes,
                              .log_bytes = from->log_bytes};
    j->has_ahead = log_ahead_start(&j->ahead, d, limits.segment_bytes);
    if (!j->has_ahead)
        return false;
    if (j->epoch > 0) {
        j->fd = log_directory_open_segment(d, from->first_lsn);
        return j->fd >= 0;
    }
    // A log that may not hold anything refuses every write.
    return limits.segment_bytes > limits.log_bytes_max || log_journal_extend(j, 0, from->next_lsn);
}

void log_journal_close(struct log_journal *j) {
    if (j->has_ahead)
        log_ahead_stop(&j->ahead);
    if (j->fd >= 0)
        close(j->fd);
    j->has_ahead = false;
    j->fd = -1;
}

// Whether a segment of `bytes` keeps the log below its limit.
static bool fits(const struct log_journal *j, uint64_t bytes) {
    return bytes <= j->limits.log_bytes_max && j->log_bytes <= j->limits.log_bytes_max - bytes;
}

// The file that was made ahead when it has the right size, or one that is made now.
static int make_file(struct log_journal *j, uint64_t bytes, const char **name) {
    if (bytes == j->limits.segment_bytes && j->asked_ahead) {
        int made = log_ahead_take(&j->ahead);
        j->asked_ahead = false;
        *name = LOG_AHEAD_NAME;
        if (made >= 0)
            return made;
    }
    *name = OWN_NAME;
    return log_directory_make_zeros(j->directory, OWN_NAME, bytes);
}

bool log_journal_extend(struct log_journal *j, uint64_t record_bytes, uint64_t first_lsn) {
    uint64_t least = LOG_SEGMENT_HEAD_BYTES + record_bytes;
    uint64_t bytes = least > j->limits.segment_bytes ? least : j->limits.segment_bytes;
    struct log_segment_head head = {.epoch = j->epoch + 1, .first_lsn = first_lsn, .bytes = bytes};
    const char *name;
    if (!fits(j, bytes)) {
        errno = ENOSPC;
        return false;
    }
    int fd = make_file(j, bytes, &name);
    if (fd < 0)
        return false;
    if (!log_directory_make_segment(j->directory, fd, name, head)) {
        int why = errno;
        close(fd);
        errno = why;
        return false;
    }
    if (j->fd >= 0)
        close(j->fd);
    j->fd = fd;
    j->epoch = head.epoch;
    j->offset = LOG_SEGMENT_HEAD_BYTES;
    j->segment_bytes = bytes;
    j->log_bytes += bytes;
    return true;
}

bool log_journal_append(struct log_journal *j, struct iovec *pieces, size_t count, uint64_t bytes) {
    if (!log_write_all(j->fd, pieces, count, j->offset))
        return false;
    j->offset += bytes;
    if (!j->asked_ahead && j->offset > j->segment_bytes / 2 && fits(j, j->limits.segment_bytes)) {
        j->asked_ahead = true;
        log_ahead_ask(&j->ahead);
    }
    return true;
}

bool log_journal_sync(const struct log_journal *j) {
    return j->fd < 0 || fdatasync(j->fd) == 0;
}
