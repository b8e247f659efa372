// From a record to the write that it was.
#include "replay.h"
#include "kept.h"
#include "write.h"
#include <inttypes.h>
#include <stdio.h>

static bool refuse(const struct log_record *r, const char *why) {
    fprintf(stderr, "error: recovery: the record with LSN %" PRIu64 " cannot be applied: %s\n",
            r->lsn, why);
    return false;
}

static bool refuse_size(struct replay *into, const struct log_record *r) {
    into->is_full = true;
    fprintf(stderr,
            "error: recovery: the log holds more than --store-bytes-max, expected at most %" PRIu64
            " bytes, got %" PRIu64 " and a record of %" PRIu64 " more\n",
            into->store_bytes_max, object_charged_by_all(), log_record_length(r));
    return false;
}

static struct object *make_object(const struct log_record *r, const struct kept_headers *kept,
                                  size_t key_n) {
    struct object *o = object_create(kept, r->data_bytes, key_n);
    if (o != NULL && !object_append(o, r->data.p, r->data.n)) {
        object_release(o);
        return NULL;
    }
    if (o != NULL) {
        memcpy(o->md5, r->md5, sizeof o->md5);
        o->parts = r->parts;
    }
    return o;
}

static bool apply(struct replay *into, const struct log_record *r, struct write *w) {
    write_apply(w);
    if (w->outcome == WRITE_DONE)
        return true;
    write_release(w);
    if (w->outcome == WRITE_FULL)
        return refuse_size(into, r);
    return refuse(r, w->outcome == WRITE_NO_BUCKET   ? "its bucket is not there"
                     : w->outcome == WRITE_NOT_EMPTY ? "its bucket is not empty"
                                                     : "there are too many buckets");
}

bool replay_record(void *context, const struct log_record *r) {
    struct replay *into = context;
    struct kept_headers kept;
    struct checksums sums;
    struct write w = {.operation = r->operation, .key = r->key, .time_ns = r->time_ns};
    w.bucket = text_cut(&w.key, '/');
    if (w.bucket.n == 0 || w.bucket.n > 63 || w.key.n > KEY_BYTES_MAX ||
        write_is_of_bucket(&w) != (w.key.n == 0))
        return refuse(r, "expected bucket/key of an object, or a bucket's name");
    if (w.operation == LOG_PUT_OBJECT) {
        if (!kept_read(r->metadata, &kept, &sums))
            return refuse(r, "expected kept headers as names and values ended by NUL");
        w.object = make_object(r, &kept, w.key.n);
        if (w.object == NULL)
            return refuse_size(into, r);
        w.object->checksums = sums;
    }
    return apply(into, r, &w);
}
