// The index that all workers share: buckets, a sharded hash for point reads, a skip list per bucket
// for order. Every function is thread safe. Lock order: buckets, then a bucket's list, then a
// shard; or buckets, then that of multipart.h.
#ifndef PAUSEMARK_STORE_H
#define PAUSEMARK_STORE_H
#include "precondition.h"

#define BUCKET_COUNT_MAX 1000
#define KEY_BYTES_MAX 1024

struct entry;

enum store_result {
    STORE_OK,
    STORE_NO_BUCKET,
    STORE_NO_KEY,
    STORE_NOT_EMPTY,
    STORE_UNMET, // a condition
    STORE_FULL
};

bool store_start(void);
enum store_result store_create_bucket(struct text bucket, int64_t now_s);
// Its open multipart uploads end with it.
enum store_result store_delete_bucket(struct text bucket);
bool store_has_bucket(struct text bucket);
// What store_create_bucket and store_delete_bucket would answer now.
enum store_result store_may_create_bucket(struct text bucket);
enum store_result store_may_delete_bucket(struct text bucket);
// Calls `each` for every bucket in the order of names, under the bucket lock.
void store_each_bucket(void (*each)(void *context, struct text name, int64_t created_s),
                       void *context);

// On STORE_OK the caller owns one reference to *found.
enum store_result store_get(struct text bucket, struct text key, struct object **found);

// Memory for the index entry of one key, taken before a write is promised, so that its put cannot
// fail. NULL when there is none.
struct entry *store_reserve(struct text bucket, struct text key);
void store_give_back(struct entry *room); // NULL is allowed

// Takes over the caller's reference on STORE_OK and only then; takes over `room`, which may be NULL
// and else is of this key, in any case. STORE_UNMET, or STORE_NO_KEY, when the conditions do not
// hold (NULL: there are none); STORE_FULL never with a room.
enum store_result store_put(struct text bucket, struct text key, struct object *object,
                            const struct conditions *conditions, struct entry *room);
// What conditions on a put say of the object that the key has, or of NULL.
static inline enum store_result store_may_put(const struct conditions *conditions,
                                              const struct object *present) {
    enum precondition met = precondition_judge_write(conditions, present);
    if (met == PRECONDITION_NO_OBJECT)
        return STORE_NO_KEY;
    return met == PRECONDITION_HOLDS ? STORE_OK : STORE_UNMET;
}
enum store_result store_delete(struct text bucket, struct text key); // STORE_NO_KEY: there was none

// What a listing says of one object, copied out under the shard's lock.
struct listed {
    struct text key;
    uint64_t size_bytes;
    int64_t modified_s;
    uint8_t md5[16];
    uint16_t parts;
};
// What the visitor wants next: stop, the next key, or the first key that is not below `seek`.
enum visit { VISIT_STOP, VISIT_NEXT, VISIT_SEEK };
typedef enum visit store_visitor(void *context, const struct listed *item, struct text *seek);
// Visits keys in byte order from the first that is >= `from`, under the bucket's read lock.
enum store_result store_list(struct text bucket, struct text from, store_visitor *visitor,
                             void *context);
#endif
