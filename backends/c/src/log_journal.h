// The end of the log that is appended to: the current segment, and the next one made ahead.
#ifndef PAUSEMARK_LOG_JOURNAL_H
#define PAUSEMARK_LOG_JOURNAL_H
#include "log_ahead.h"
#include "log_recovery.h"

struct log_limits {
    uint64_t segment_bytes, log_bytes_max;
};

// One thread appends. A function that fails leaves the reason in errno.
struct log_journal {
    const struct log_directory *directory;
    struct log_limits limits;
    int fd; // of the current segment; less than 0: there is none yet
    uint32_t epoch;
    uint64_t offset, segment_bytes, log_bytes;
    bool asked_ahead, has_ahead;
    struct log_ahead ahead;
};

// A log that has no segment yet gets one when its limits allow. log_journal_close follows, also
// when this failed.
bool log_journal_open(struct log_journal *j, const struct log_directory *d,
                      struct log_limits limits, const struct log_end *from);
void log_journal_close(struct log_journal *j);
// Room for one more record behind `pending_bytes` that are not written yet.
static inline bool log_journal_has_room(const struct log_journal *j, uint64_t pending_bytes,
                                        uint64_t record_bytes) {
    return j->offset + pending_bytes + record_bytes <= j->segment_bytes;
}
// Goes on in a new segment that begins with `first_lsn`. ENOSPC when the log or the disk is full.
bool log_journal_extend(struct log_journal *j, uint64_t record_bytes, uint64_t first_lsn);
// The pieces, of `bytes` together, are used up. False: the log must not be used any more.
bool log_journal_append(struct log_journal *j, struct iovec *pieces, size_t count, uint64_t bytes);
bool log_journal_sync(const struct log_journal *j);
#endif
