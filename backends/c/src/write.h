// A change of state: what a request asks for once its checks are done, and the only place where
// such changes and the index meet: in ram, behind the log, and in recovery.
#ifndef PAUSEMARK_WRITE_H
#define PAUSEMARK_WRITE_H
#include "log_record.h"
#include "store.h"

enum write_outcome {
    WRITE_DONE,
    WRITE_NO_BUCKET,
    WRITE_NOT_EMPTY,
    WRITE_UNMET, // a condition
    WRITE_NO_KEY,
    WRITE_TOO_MANY_BUCKETS,
    WRITE_METADATA_TOO_LARGE,
    WRITE_FULL,      // the store, the log, or a queue
    WRITE_NOT_LOGGED // the log failed
};

struct write {
    enum log_operation operation;
    struct conditions *conditions; // of a put, owned; NULL: none
    struct text bucket, key;       // borrowed; the key is empty for a bucket
    struct object *object;         // of a put: one reference, until it is in the index
    struct entry *room;            // of a put that goes through the log
    int64_t time_ns;               // since 1970 UTC
    enum write_outcome outcome;
    void *owner;     // whoever waits; not ours to look into
    unsigned worker; // whose queue it came from
};

static inline bool write_is_of_bucket(const struct write *w) {
    return w->operation == LOG_CREATE_BUCKET || w->operation == LOG_DELETE_BUCKET;
}
// Does it, now; sets the outcome.
void write_apply(struct write *w);
// What it would do, without doing it. `*changes`: the index would not be the same behind it.
enum write_outcome write_judge(const struct write *w, bool *changes);
// Gives back what a write that was refused still holds.
void write_release(struct write *w);
#endif
