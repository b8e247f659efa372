// Gathers what one pwritev writes: heads from a buffer of its own, data from where it lies.
#include "log_batch.h"
#include "crc32c.h"
#include "kept.h"
#include "object_chain.h"
#include <stdlib.h>

#define HEAD_BYTES_MAX_EACH                                                                        \
    log_round_up(LOG_RECORD_HEAD_BYTES + LOG_KEY_BYTES_MAX + LOG_METADATA_BYTES_MAX)
// A head and a fill each, and the blocks of the largest object, whose parts may each end in a short
// one: smaller objects share fewer bytes.
#define PIECE_COUNT_MAX (2 * LOG_BATCH_WRITES_MAX + OBJECT_BLOCKS_MAX + OBJECT_PIECES_MAX)

bool log_batch_open(struct log_batch *b) {
    *b = (struct log_batch){.pieces = malloc(PIECE_COUNT_MAX * sizeof(struct iovec)),
                            .heads = malloc(LOG_BATCH_WRITES_MAX * HEAD_BYTES_MAX_EACH)};
    return b->pieces != NULL && b->heads != NULL;
}

void log_batch_close(struct log_batch *b) {
    free(b->pieces);
    free(b->heads);
}

void log_batch_clear(struct log_batch *b) {
    b->count = b->record_count = b->piece_count = b->heads_n = 0;
    b->bytes = 0;
}

uint64_t log_batch_record_bytes(const struct write *w) {
    uint64_t key_n = w->bucket.n + (w->key.n > 0 ? 1 + w->key.n : 0);
    uint64_t object_n = w->object == NULL ? 0 : kept_bytes(w->object) + w->object->size_bytes;
    return log_round_up(LOG_RECORD_HEAD_BYTES + key_n + object_n);
}

static bool decides(const struct write *before, const struct write *w) {
    if (write_is_of_bucket(before) && write_is_of_bucket(w))
        return true; // the count of buckets is one for all
    if (!text_is(before->bucket, w->bucket))
        return false;
    if (write_is_of_bucket(before) || write_is_of_bucket(w))
        return true;
    return (w->conditions != NULL || w->operation == LOG_DELETE_OBJECT) &&
           text_is(before->key, w->key);
}

bool log_batch_decides(const struct log_batch *b, const struct write *w) {
    for (size_t i = 0; i < b->count; i++) {
        if (b->logged[i] && decides(b->writes[i], w))
            return true;
    }
    return false;
}

static void add_write(struct log_batch *b, struct write *w, bool logged) {
    b->logged[b->count] = logged;
    b->writes[b->count++] = w;
}

void log_batch_settle(struct log_batch *b, struct write *w, enum write_outcome outcome) {
    w->outcome = outcome;
    add_write(b, w, false);
}

static void add_piece(struct log_batch *b, const char *p, size_t n) {
    if (n > 0)
        b->pieces[b->piece_count++] = (struct iovec){(void *)(uintptr_t)p, n};
}

// "bucket/key", or "bucket".
static struct text join_names(char *to, const struct write *w) {
    memcpy(to, w->bucket.p, w->bucket.n);
    size_t n = w->bucket.n;
    if (w->key.n > 0) {
        to[n++] = '/';
        memcpy(to + n, w->key.p, w->key.n);
        n += w->key.n;
    }
    return (struct text){to, n};
}

static uint32_t add_data(struct log_batch *b, const struct object *o, uint32_t crc) {
    for (uint64_t at = 0; at < o->size_bytes;) {
        struct text slice = object_slice(o, at);
        crc = crc32c(crc, slice.p, slice.n);
        add_piece(b, slice.p, slice.n);
        at += slice.n;
    }
    return crc;
}

void log_batch_add(struct log_batch *b, struct write *w, struct log_record r) {
    static const char fill[8];
    char names[LOG_KEY_BYTES_MAX];
    char *head = b->heads + b->heads_n;
    const struct object *o = w->object;
    r.operation = (uint8_t)w->operation;
    r.key = join_names(names, w);
    if (o != NULL) {
        r.metadata.n = kept_bytes(o);
        r.data_bytes = o->size_bytes;
        r.parts = o->parts;
        memcpy(r.md5, o->md5, sizeof r.md5);
        kept_put(head + LOG_RECORD_HEAD_BYTES + r.key.n, o);
    }
    log_record_put(head, &r);
    size_t head_n = LOG_RECORD_HEAD_BYTES + r.key.n + r.metadata.n;
    uint32_t crc = crc32c(0, head + 8, head_n - 8);
    add_piece(b, head, head_n);
    if (o != NULL)
        crc = add_data(b, o, crc);
    log_record_put_crc(head, crc);
    uint64_t length = log_record_length(&r);
    add_piece(b, fill, log_round_up(length) - length);
    b->heads_n += log_round_up(head_n);
    b->bytes += log_round_up(length);
    w->time_ns = r.time_ns;
    add_write(b, w, true);
    b->record_count++;
}
