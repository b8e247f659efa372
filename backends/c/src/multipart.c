// One table in the order of listings; the parts of an upload by number, in chunks made as needed.
#include "multipart.h"
#include "store.h"
#include <pthread.h>
#include <sys/random.h>

// A chunk costs less than what the first part in it is charged beside its bytes.
#define CHUNK_PARTS 32
#define CHUNK_COUNT (PART_NUMBER_MAX / CHUNK_PARTS + 1)
#define CHUNK_BYTES (CHUNK_PARTS * sizeof(struct object *))

struct multipart {
    struct multipart *next_ended;
    struct object *described;
    int64_t begun_s;
    bool is_claimed, has_ended; // both: its bucket is gone, and who claimed it frees it
    size_t bucket_n, key_n;
    char bucket[64], key[KEY_BYTES_MAX], id[MULTIPART_ID_BYTES];
    struct object **chunks[CHUNK_COUNT];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct multipart *table[MULTIPART_COUNT_MAX]; // by bucket, key and id
static size_t table_count;

static struct multipart_name name_of(const struct multipart *m) {
    return (struct multipart_name){
        {m->bucket, m->bucket_n}, {m->key, m->key_n}, {m->id, sizeof m->id}};
}

static int compare(struct multipart_name a, struct multipart_name b) {
    int order = text_compare(a.bucket, b.bucket);
    if (order == 0)
        order = text_compare(a.key, b.key);
    return order != 0 ? order : text_compare(a.id, b.id);
}

// The first that is not below `name`. Under the lock, like all that follow.
static size_t place_of(struct multipart_name name) {
    size_t low = 0, high = table_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(name_of(table[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct multipart *find(struct multipart_name name) {
    size_t place = place_of(name);
    bool is_there = place < table_count && compare(name_of(table[place]), name) == 0;
    return is_there ? table[place] : NULL;
}

// One that nobody has claimed.
static struct multipart *find_free(struct multipart_name name) {
    struct multipart *m = find(name);
    return m == NULL || m->is_claimed ? NULL : m;
}

static void take_out(const struct multipart *m) {
    size_t place = place_of(name_of(m));
    table_count--;
    memmove(table + place, table + place + 1, (table_count - place) * sizeof *table);
}

static struct object **slot_of(const struct multipart *m, uint64_t number) {
    struct object **chunk = number > PART_NUMBER_MAX ? NULL : m->chunks[number / CHUNK_PARTS];
    return chunk == NULL ? NULL : &chunk[number % CHUNK_PARTS];
}

static void destroy(struct multipart *m) {
    if (m == NULL)
        return;
    for (size_t i = 0; i < CHUNK_COUNT; i++) {
        for (size_t k = 0; m->chunks[i] != NULL && k < CHUNK_PARTS; k++)
            object_release(m->chunks[i][k]);
        slab_give(m->chunks[i], CHUNK_BYTES);
    }
    object_release(m->described);
    slab_give(m, sizeof *m);
}

void multipart_free(struct multipart *ended) {
    while (ended != NULL) {
        struct multipart *m = ended;
        ended = m->next_ended;
        destroy(m);
    }
}

static struct multipart *make(struct text bucket, struct text key, int64_t now_s) {
    struct multipart *m = slab_take(sizeof *m);
    uint8_t random[MULTIPART_ID_BYTES / 2];
    if (m == NULL || getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        slab_give(m, sizeof *m);
        return NULL;
    }
    memset(m, 0, sizeof *m);
    m->begun_s = now_s;
    memcpy(m->bucket, bucket.p, m->bucket_n = bucket.n);
    memcpy(m->key, key.p, m->key_n = key.n);
    text_put_hex(m->id, random, sizeof random);
    return m;
}

static bool insert(struct multipart *m) {
    pthread_mutex_lock(&lock);
    bool has_room = table_count < MULTIPART_COUNT_MAX;
    if (has_room) {
        size_t place = place_of(name_of(m));
        memmove(table + place + 1, table + place, (table_count - place) * sizeof *table);
        table[place] = m;
        table_count++;
    }
    pthread_mutex_unlock(&lock);
    return has_room;
}

enum multipart_result multipart_begin(struct text bucket, struct text key, struct object *described,
                                      int64_t now_s, char *id) {
    struct multipart *m = make(bucket, key, now_s);
    if (m == NULL)
        return MULTIPART_FULL;
    memcpy(id, m->id, sizeof m->id);
    m->described = object_hold(described);
    if (!insert(m)) {
        destroy(m);
        return MULTIPART_FULL;
    }
    // Only now: a bucket that ended before would not have taken it along.
    if (!store_has_bucket(bucket)) {
        multipart_abort((struct multipart_name){bucket, key, {id, MULTIPART_ID_BYTES}});
        return MULTIPART_NO_BUCKET;
    }
    object_release(described); // the upload's alone
    return MULTIPART_OK;
}

bool multipart_is_open(struct multipart_name name) {
    pthread_mutex_lock(&lock);
    bool is_open = find_free(name) != NULL;
    pthread_mutex_unlock(&lock);
    return is_open;
}

static bool add_chunk(struct multipart *m, unsigned number) {
    struct object ***chunk = &m->chunks[number / CHUNK_PARTS];
    if (*chunk != NULL)
        return true;
    *chunk = slab_take(CHUNK_BYTES);
    if (*chunk != NULL)
        memset(*chunk, 0, CHUNK_BYTES);
    return *chunk != NULL;
}

enum multipart_result multipart_put_part(struct multipart_name name, unsigned number,
                                         struct object *part) {
    struct object *replaced = NULL;
    enum multipart_result result = MULTIPART_NONE;
    pthread_mutex_lock(&lock);
    struct multipart *m = find_free(name);
    if (m != NULL && add_chunk(m, number)) {
        struct object **slot = slot_of(m, number);
        replaced = *slot;
        *slot = part;
        result = MULTIPART_OK;
    } else if (m != NULL) {
        result = MULTIPART_FULL;
    }
    pthread_mutex_unlock(&lock);
    object_release(replaced);
    return result;
}

enum multipart_result multipart_abort(struct multipart_name name) {
    pthread_mutex_lock(&lock);
    struct multipart *m = find_free(name);
    if (m != NULL)
        take_out(m);
    pthread_mutex_unlock(&lock);
    destroy(m);
    return m == NULL ? MULTIPART_NONE : MULTIPART_OK;
}

static bool has_etag(const struct object *part, struct text etag) {
    char bytes[ETAG_BYTES_MAX];
    return text_is(etag, (struct text){bytes, object_put_etag(bytes, part->md5, 0)});
}

// Every named part is there, and only the last may be small. *size_bytes is their sum.
static enum multipart_result check_parts(const struct multipart *m, const struct completion *c,
                                         uint64_t *size_bytes) {
    bool is_small = false;
    *size_bytes = 0;
    for (size_t i = 0; i < c->count; i++) {
        struct object **slot = slot_of(m, c->parts[i].number);
        if (slot == NULL || *slot == NULL || !has_etag(*slot, c->parts[i].etag))
            return MULTIPART_INVALID_PART;
        is_small = is_small || (i + 1 < c->count && (*slot)->size_bytes < PART_BYTES_MIN);
        *size_bytes += (*slot)->size_bytes;
    }
    return is_small ? MULTIPART_TOO_SMALL : MULTIPART_OK;
}

// Of parts that were checked: their number is bounded by their size.
static struct object *join_parts(const struct multipart *m, const struct completion *c,
                                 struct md5 *md5) {
    struct object *parts[OBJECT_PIECES_MAX];
    md5_begin(md5);
    for (size_t i = 0; i < c->count; i++) {
        parts[i] = *slot_of(m, c->parts[i].number);
        md5_add(md5, (struct text){(const char *)parts[i]->md5, MD5_BYTES});
    }
    struct object *whole = object_create_like(m->described, 0, m->key_n);
    if (whole == NULL || !object_join(whole, parts, c->count)) {
        object_release(whole);
        return NULL;
    }
    md5_end(md5, whole->md5);
    whole->parts = (uint16_t)c->count;
    return whole;
}

static enum multipart_result make_whole(const struct multipart *m, const struct completion *c,
                                        uint64_t bytes_max, struct md5 *md5,
                                        struct object **whole) {
    uint64_t size_bytes;
    enum multipart_result result = check_parts(m, c, &size_bytes);
    if (result != MULTIPART_OK)
        return result;
    if (size_bytes > bytes_max || c->count > OBJECT_PIECES_MAX)
        return MULTIPART_TOO_LARGE;
    *whole = join_parts(m, c, md5);
    return *whole == NULL ? MULTIPART_FULL : MULTIPART_OK;
}

enum multipart_result multipart_claim(struct multipart_name name, const struct completion *c,
                                      uint64_t bytes_max, struct md5 *md5,
                                      struct multipart **claimed, struct object **whole) {
    pthread_mutex_lock(&lock);
    struct multipart *m = find_free(name);
    enum multipart_result result =
        m == NULL ? MULTIPART_NONE : make_whole(m, c, bytes_max, md5, whole);
    if (result == MULTIPART_OK) {
        m->is_claimed = true;
        *claimed = m;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

void multipart_settle(struct multipart *claimed, bool is_stored) {
    if (claimed == NULL)
        return;
    pthread_mutex_lock(&lock);
    bool is_over = is_stored || claimed->has_ended;
    if (is_over && !claimed->has_ended)
        take_out(claimed);
    claimed->is_claimed = false;
    pthread_mutex_unlock(&lock);
    if (is_over)
        destroy(claimed);
}

struct multipart *multipart_end_bucket(struct text bucket) {
    struct multipart *ended = NULL;
    pthread_mutex_lock(&lock);
    size_t first = place_of((struct multipart_name){.bucket = bucket}), last = first;
    for (; last < table_count && text_is(name_of(table[last]).bucket, bucket); last++) {
        struct multipart *m = table[last];
        m->has_ended = true;
        if (m->is_claimed)
            continue;
        m->next_ended = ended;
        ended = m;
    }
    memmove(table + first, table + last, (table_count - last) * sizeof *table);
    table_count -= last - first;
    pthread_mutex_unlock(&lock);
    return ended;
}

void multipart_list(struct text bucket, struct text from,
                    bool (*visitor)(void *, const struct listed_multipart *), void *context) {
    pthread_mutex_lock(&lock);
    for (size_t at = place_of((struct multipart_name){bucket, from, {NULL, 0}}); at < table_count;
         at++) {
        struct multipart_name name = name_of(table[at]);
        struct listed_multipart item = {name.key, name.id, table[at]->begun_s};
        if (!text_is(name.bucket, bucket) || !visitor(context, &item))
            break;
    }
    pthread_mutex_unlock(&lock);
}

enum multipart_result multipart_list_parts(struct multipart_name name, uint64_t after,
                                           bool (*visitor)(void *, unsigned, const struct object *),
                                           void *context) {
    pthread_mutex_lock(&lock);
    struct multipart *m = find(name);
    for (uint64_t number = after + 1; m != NULL && number <= PART_NUMBER_MAX; number++) {
        struct object **slot = slot_of(m, number);
        if (slot != NULL && *slot != NULL && !visitor(context, (unsigned)number, *slot))
            break;
    }
    pthread_mutex_unlock(&lock);
    return m == NULL ? MULTIPART_NONE : MULTIPART_OK;
}
