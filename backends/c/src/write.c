// The index's answers as outcomes of writes.
#include "write.h"

#define NS_PER_S 1000000000

static enum write_outcome to_outcome(enum store_result result, enum log_operation operation) {
    switch (result) {
    case STORE_OK:
        return WRITE_DONE;
    case STORE_NO_KEY: // it counts as deleted, but a condition may want it
        return operation == LOG_PUT_OBJECT ? WRITE_NO_KEY : WRITE_DONE;
    case STORE_NO_BUCKET:
        return WRITE_NO_BUCKET;
    case STORE_NOT_EMPTY:
        return WRITE_NOT_EMPTY;
    case STORE_UNMET:
        return WRITE_UNMET;
    default:
        return operation == LOG_CREATE_BUCKET ? WRITE_TOO_MANY_BUCKETS : WRITE_FULL;
    }
}

static enum store_result put(struct write *w) {
    w->object->modified_s = w->time_ns / NS_PER_S;
    enum store_result result = store_put(w->bucket, w->key, w->object, w->conditions, w->room);
    w->room = NULL;
    if (result == STORE_OK)
        w->object = NULL; // the store's now
    return result;
}

static enum store_result perform(struct write *w) {
    switch (w->operation) {
    case LOG_PUT_OBJECT:
        return put(w);
    case LOG_DELETE_OBJECT:
        return store_delete(w->bucket, w->key);
    case LOG_CREATE_BUCKET:
        return store_create_bucket(w->bucket, w->time_ns / NS_PER_S);
    default:
        return store_delete_bucket(w->bucket);
    }
}

void write_apply(struct write *w) {
    w->outcome = to_outcome(perform(w), w->operation);
}

static enum write_outcome judge_key(const struct write *w, bool *changes) {
    struct object *found = NULL;
    enum store_result result = store_get(w->bucket, w->key, &found);
    if (result != STORE_NO_BUCKET && w->operation == LOG_PUT_OBJECT)
        result = store_may_put(w->conditions, found);
    object_release(found);
    *changes = result == STORE_OK;
    return to_outcome(result, w->operation);
}

static enum write_outcome judge_bucket(const struct write *w, bool *changes) {
    bool creates = w->operation == LOG_CREATE_BUCKET;
    if (creates && store_has_bucket(w->bucket))
        return WRITE_DONE;
    enum store_result result =
        creates ? store_may_create_bucket(w->bucket) : store_may_delete_bucket(w->bucket);
    *changes = result == STORE_OK;
    return to_outcome(result, w->operation);
}

enum write_outcome write_judge(const struct write *w, bool *changes) {
    *changes = false;
    if (write_is_of_bucket(w))
        return judge_bucket(w, changes);
    if (w->operation == LOG_DELETE_OBJECT || w->conditions != NULL)
        return judge_key(w, changes);
    *changes = store_has_bucket(w->bucket);
    return *changes ? WRITE_DONE : WRITE_NO_BUCKET;
}

void write_release(struct write *w) {
    object_release(w->object);
    store_give_back(w->room);
    precondition_give(w->conditions);
    w->object = NULL;
    w->room = NULL;
    w->conditions = NULL;
}
