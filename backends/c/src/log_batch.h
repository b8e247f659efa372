// Writes that share one pwritev: their records as pieces, and who waits for them.
#ifndef PAUSEMARK_LOG_BATCH_H
#define PAUSEMARK_LOG_BATCH_H
#include "write.h"
#include <sys/uio.h>

#define LOG_BATCH_WRITES_MAX 64
#define LOG_BATCH_BYTES_MAX ((uint64_t)256 << 10) // but for a record that is larger by itself

// One thread's.
struct log_batch {
    struct write *writes[LOG_BATCH_WRITES_MAX];
    bool logged[LOG_BATCH_WRITES_MAX]; // whether the write has a record
    size_t count, record_count;
    uint64_t bytes; // of all records with their fill
    struct iovec *pieces;
    size_t piece_count;
    char *heads; // heads, keys and metadata of the records
    size_t heads_n;
};

// Takes the memory for the largest batch. False when there is none.
bool log_batch_open(struct log_batch *b);
void log_batch_close(struct log_batch *b);
void log_batch_clear(struct log_batch *b);

// Room that the write's record takes, with its fill.
uint64_t log_batch_record_bytes(const struct write *w);
// Whether judging `w` needs what a record of this batch will only do when it is applied.
bool log_batch_decides(const struct log_batch *b, const struct write *w);
// A write without a record, which has its outcome.
void log_batch_settle(struct log_batch *b, struct write *w, enum write_outcome outcome);
// `r` names LSNs, epoch and time; the rest of the record is the write's. Both must stay until the
// batch is cleared.
void log_batch_add(struct log_batch *b, struct write *w, struct log_record r);
#endif
