// Applies recovered records to the index.
#ifndef PAUSEMARK_REPLAY_H
#define PAUSEMARK_REPLAY_H
#include "log_recovery.h"

struct replay {
    uint64_t store_bytes_max; // told when it is not enough
    bool is_full; // why it stopped: the store's limit or memory, and not the log's content
};
// A log_visitor; the context is a replay.
bool replay_record(void *replay, const struct log_record *r);
#endif
