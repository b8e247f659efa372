// What a write must have before the log promises it, and who goes on when it is done.
#include "commit.h"
#include "kept.h"
#include "upload.h"
#include <stdlib.h>

#define NS_PER_S 1000000000

struct commit *commit_take(struct worker *w) {
    struct commit *k = w->free_commits;
    if (k != NULL)
        w->free_commits = k->next_free;
    else
        k = malloc(sizeof *k);
    if (k != NULL)
        memset(k, 0, offsetof(struct commit, bucket));
    return k;
}

void commit_give(struct worker *w, struct commit *k) {
    if (k == NULL)
        return;
    write_release(&k->write);
    upload_close(w, k->upload);
    deletion_free(k->deletion);
    object_release(k->made);
    multipart_settle(k->claimed, k->write.outcome == WRITE_DONE);
    k->next_free = w->free_commits;
    w->free_commits = k;
}

void commit_free_all(struct worker *w) {
    while (w->free_commits != NULL) {
        struct commit *k = w->free_commits;
        w->free_commits = k->next_free;
        free(k);
    }
}

static struct text keep(char *to, struct text t) {
    if (t.n > 0)
        memcpy(to, t.p, t.n);
    return (struct text){to, t.n};
}

void commit_keep_names(struct commit *k) {
    struct text path = k->resource;
    path.n = path.n < sizeof k->path ? path.n : sizeof k->path;
    k->write.bucket = keep(k->bucket, k->write.bucket);
    k->write.key = keep(k->key, k->write.key);
    k->resource = keep(k->path, path);
}

// Memory for the index first: a write that is in the log must not fail for want of it.
static enum write_outcome prepare(struct write *w) {
    if (w->operation != LOG_PUT_OBJECT)
        return WRITE_DONE;
    if (kept_bytes(w->object) > LOG_METADATA_BYTES_MAX)
        return WRITE_METADATA_TOO_LARGE;
    w->room = store_reserve(w->bucket, w->key);
    return w->room == NULL ? WRITE_FULL : WRITE_DONE;
}

void commit_submit(struct connection *c, struct commit *k, struct write *w) {
    struct worker *worker = c->worker;
    if (worker->gate == NULL) {
        w->time_ns = worker->wall_s * NS_PER_S;
        write_apply(w);
        return;
    }
    w->owner = k;
    w->outcome = prepare(w);
    if (w->outcome != WRITE_DONE)
        return;
    if (log_gate_submit(worker->gate, w))
        k->waiting++;
    else
        w->outcome = WRITE_FULL;
}

void commit_go_on(struct connection *c, struct commit *k) {
    if (k->waiting == 0)
        k->then(c, k);
    bool waits = k->waiting > 0;
    k->connection = c;
    c->commit = waits ? k : NULL;
    if (!waits)
        commit_give(c->worker, k);
}

void commit_abandon(struct worker *w, struct commit *k) {
    if (k == NULL)
        return;
    k->connection = NULL;
    if (k->waiting == 0)
        commit_give(w, k);
}

// One request may have had several writes under way: only the last one back lets it go on.
void commit_take_back(struct worker *w) {
    struct write *done;
    log_gate_begin(w->gate);
    while ((done = log_gate_next(w->gate)) != NULL) {
        struct commit *k = done->owner;
        if (--k->waiting > 0)
            continue;
        if (k->connection != NULL)
            connection_committed(k->connection);
        else
            commit_give(w, k);
    }
}

enum error_code commit_error(enum write_outcome outcome) {
    switch (outcome) {
    case WRITE_DONE:
        return ERROR_NONE;
    case WRITE_NO_BUCKET:
        return ERROR_NO_SUCH_BUCKET;
    case WRITE_NOT_EMPTY:
        return ERROR_BUCKET_NOT_EMPTY;
    case WRITE_UNMET:
        return ERROR_PRECONDITION_FAILED;
    case WRITE_NO_KEY:
        return ERROR_NO_SUCH_KEY;
    case WRITE_TOO_MANY_BUCKETS:
        return ERROR_TOO_MANY_BUCKETS;
    case WRITE_METADATA_TOO_LARGE:
        return ERROR_METADATA_TOO_LARGE;
    case WRITE_NOT_LOGGED:
        return ERROR_INTERNAL;
    default:
        return ERROR_SLOW_DOWN;
    }
}

bool commit_answer_refused(struct connection *c, const struct commit *k) {
    enum error_code error = commit_error(k->write.outcome);
    if (error != ERROR_NONE)
        answer_error(c, error, k->resource);
    return error != ERROR_NONE;
}
