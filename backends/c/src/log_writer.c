// Collects a batch, writes it with one call, syncs as the mode says, applies it, gives it back.
#include "log_writer.h"
#include "log_batch.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NO_SYNC_DUE INT64_MAX

struct log_writer {
    struct log_settings settings;
    struct log_journal journal;
    struct log_batch batch;
    struct log_bell bell;
    unsigned gate_count, next_gate;
    uint64_t next_lsn, durable_lsn;
    int64_t now_ns;      // the batch's time
    int64_t sync_due_ms; // monotonic; of interval alone
    void (*on_failure)(void);
    bool is_running;
    atomic_bool stopping, failed;
    pthread_t thread;
    struct log_gate gates[];
};

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t steady_ms(void) {
    return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

static void fail(struct log_writer *w, const char *what) {
    if (atomic_exchange(&w->failed, true))
        return;
    fprintf(stderr, "error: log: cannot %s: %s\n", what, strerror(errno));
    if (w->on_failure != NULL)
        w->on_failure();
}

// Never again behind a failure: the kernel may have dropped the pages.
static bool sync_log(struct log_writer *w) {
    w->sync_due_ms = NO_SYNC_DUE;
    if (!log_journal_sync(&w->journal)) {
        fail(w, "sync");
        return false;
    }
    w->durable_lsn = w->next_lsn - 1;
    return true;
}

static void sync_when_due(struct log_writer *w) {
    if (w->sync_due_ms != NO_SYNC_DUE && steady_ms() >= w->sync_due_ms)
        sync_log(w);
}

// A new segment, when the batch has no record yet. What only the old one holds is synced first:
// from then on nobody would.
static bool make_room(struct log_writer *w, uint64_t bytes) {
    if (w->sync_due_ms != NO_SYNC_DUE && !sync_log(w))
        return false;
    if (log_journal_extend(&w->journal, bytes, w->next_lsn))
        return true;
    if (errno != ENOSPC && errno != EDQUOT)
        fail(w, "make a segment");
    return false;
}

// False: the write must wait for the next batch.
static bool admit_record(struct log_writer *w, struct write *asked) {
    struct log_batch *b = &w->batch;
    uint64_t bytes = log_batch_record_bytes(asked);
    bool has_room = log_journal_has_room(&w->journal, b->bytes, bytes);
    bool is_full = w->settings.mode == DURABILITY_SYNC || b->bytes + bytes > LOG_BATCH_BYTES_MAX;
    if (b->record_count > 0 && (is_full || !has_room))
        return false;
    if (!has_room && !make_room(w, bytes)) {
        log_batch_settle(b, asked, atomic_load(&w->failed) ? WRITE_NOT_LOGGED : WRITE_FULL);
        return true;
    }
    log_batch_add(b, asked,
                  (struct log_record){.lsn = w->next_lsn,
                                      .durable_lsn = w->durable_lsn,
                                      .epoch = w->journal.epoch,
                                      .time_ns = w->now_ns});
    w->next_lsn++;
    return true;
}

static bool admit(struct log_writer *w, struct write *asked) {
    bool changes;
    if (w->batch.count == 0)
        w->now_ns = clock_ns(CLOCK_REALTIME);
    if (atomic_load_explicit(&w->failed, memory_order_relaxed)) {
        log_batch_settle(&w->batch, asked, WRITE_NOT_LOGGED);
        return true;
    }
    if (log_batch_decides(&w->batch, asked))
        return false;
    enum write_outcome outcome = write_judge(asked, &changes);
    if (changes)
        return admit_record(w, asked);
    log_batch_settle(&w->batch, asked, outcome);
    return true;
}

// One write from each queue in turn, until the batch is full, a write has to wait for the next
// one, or the queues are empty.
static void collect(struct log_writer *w) {
    unsigned empty = 0;
    while (empty < w->gate_count && w->batch.count < LOG_BATCH_WRITES_MAX) {
        struct log_gate *g = &w->gates[w->next_gate];
        struct write *asked = log_gate_front(g);
        if (asked != NULL && !admit(w, asked))
            return;
        if (asked != NULL)
            log_gate_pop(g);
        empty = asked == NULL ? empty + 1 : 0;
        w->next_gate = (w->next_gate + 1) % w->gate_count;
    }
}

static bool write_batch(struct log_writer *w) {
    struct log_batch *b = &w->batch;
    if (!log_journal_append(&w->journal, b->pieces, b->piece_count, b->bytes)) {
        fail(w, "write");
        return false;
    }
    if (w->settings.mode == DURABILITY_BATCH || w->settings.mode == DURABILITY_SYNC)
        return sync_log(w);
    if (w->settings.mode == DURABILITY_INTERVAL && w->sync_due_ms == NO_SYNC_DUE)
        w->sync_due_ms = steady_ms() + (int64_t)w->settings.sync_interval_ms;
    return true;
}

static void finish_batch(struct log_writer *w) {
    struct log_batch *b = &w->batch;
    bool is_good = b->record_count == 0 || write_batch(w);
    for (size_t i = 0; i < b->count; i++) {
        struct write *done = b->writes[i];
        if (b->logged[i] && is_good)
            write_apply(done);
        else if (b->logged[i])
            done->outcome = WRITE_NOT_LOGGED;
        log_gate_give_back(&w->gates[done->worker], done);
    }
    for (unsigned i = 0; i < w->gate_count; i++)
        log_gate_wake(&w->gates[i]);
    log_batch_clear(b);
}

static bool has_work(struct log_writer *w) {
    for (unsigned i = 0; i < w->gate_count; i++) {
        if (log_gate_front(&w->gates[i]) != NULL)
            return true;
    }
    return false;
}

static int patience_ms(const struct log_writer *w) {
    if (w->sync_due_ms == NO_SYNC_DUE)
        return -1;
    int64_t left_ms = w->sync_due_ms - steady_ms();
    return left_ms > 0 ? (int)left_ms : 0;
}

static void *run(void *context) {
    struct log_writer *w = context;
    for (;;) {
        bool ends = atomic_load(&w->stopping); // before the last look at the queues
        collect(w);
        if (w->batch.count > 0) {
            finish_batch(w);
            sync_when_due(w);
            continue;
        }
        if (ends)
            break;
        log_bell_lie_down(&w->bell);
        if (has_work(w) || atomic_load(&w->stopping))
            log_bell_get_up(&w->bell);
        else
            log_bell_sleep(&w->bell, patience_ms(w));
        sync_when_due(w);
    }
    if (w->sync_due_ms != NO_SYNC_DUE)
        sync_log(w);
    return NULL;
}

struct log_writer *log_writer_create(const struct log_directory *d, const struct log_settings *s,
                                     const struct log_end *from, unsigned workers) {
    size_t bytes = sizeof(struct log_writer) + workers * sizeof(struct log_gate);
    size_t rounded = (bytes + RING_LINE_BYTES - 1) / RING_LINE_BYTES * RING_LINE_BYTES;
    struct log_writer *w = aligned_alloc(RING_LINE_BYTES, rounded);
    if (w == NULL)
        return NULL;
    memset(w, 0, rounded);
    w->settings = *s;
    w->gate_count = workers;
    w->next_lsn = from->next_lsn;
    w->durable_lsn = from->next_lsn - 1; // recovery synced what it read
    w->sync_due_ms = NO_SYNC_DUE;
    bool is_good = log_bell_open(&w->bell);
    for (unsigned i = 0; i < workers; i++)
        is_good = log_gate_open(&w->gates[i], i, &w->bell) && is_good;
    is_good = log_batch_open(&w->batch) && is_good;
    is_good = log_journal_open(&w->journal, d, s->limits, from) && is_good;
    if (is_good)
        return w;
    int why = errno;
    log_writer_destroy(w);
    errno = why;
    return NULL;
}

struct log_gate *log_writer_gate(struct log_writer *w, unsigned worker) {
    return &w->gates[worker];
}

bool log_writer_start(struct log_writer *w, void (*on_failure)(void)) {
    w->on_failure = on_failure;
    w->is_running = pthread_create(&w->thread, NULL, run, w) == 0;
    return w->is_running;
}

void log_writer_stop(struct log_writer *w) {
    if (!w->is_running)
        return;
    atomic_store(&w->stopping, true);
    log_bell_ring(&w->bell);
    pthread_join(w->thread, NULL);
    w->is_running = false;
}

bool log_writer_has_failed(const struct log_writer *w) {
    return atomic_load(&w->failed);
}

void log_writer_destroy(struct log_writer *w) {
    if (w == NULL)
        return;
    log_writer_stop(w);
    log_journal_close(&w->journal);
    log_batch_close(&w->batch);
    for (unsigned i = 0; i < w->gate_count; i++)
        log_gate_close(&w->gates[i]);
    log_bell_close(&w->bell);
    free(w);
}
