// 256 small hash tables (so that growing one stops it for microseconds) over skip lists per bucket.
#include "store.h"
#include "hash.h"
#include "multipart.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#define SHARD_COUNT 256u
#define LEVEL_MAX 16 // p = 1/4: enough for 4 billion keys

struct entry {
    struct entry *chain; // next in the hash slot
    struct object *object;
    struct bucket *bucket;
    uint64_t hash;
    uint16_t key_n;
    uint8_t levels;
    struct entry *next[]; // `levels` of them, then the key's bytes
};

struct bucket {
    char name[64];
    size_t name_n;
    int64_t created_s;
    pthread_rwlock_t lock; // the skip list
    uint64_t key_count;
    struct entry *head[LEVEL_MAX];
    struct bucket *next_free;
};

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct entry **slots;
    size_t slot_count, entry_count;
};

static struct shard shards[SHARD_COUNT];
static pthread_rwlock_t buckets_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct bucket *buckets[BUCKET_COUNT_MAX]; // in the order of names
static size_t bucket_count;
// Memory for all of them, so that making one cannot fail once the log has promised it.
static struct bucket bucket_memory[BUCKET_COUNT_MAX], *free_buckets;
static uint64_t hash_seed;

bool store_start(void) {
    if (getrandom(&hash_seed, sizeof hash_seed, 0) != (ssize_t)sizeof hash_seed)
        return false;
    for (size_t i = BUCKET_COUNT_MAX; i-- > 0;) {
        bucket_memory[i].next_free = free_buckets;
        free_buckets = &bucket_memory[i];
    }
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        pthread_mutex_init(&shards[i].lock, NULL);
        shards[i].slot_count = 64;
        shards[i].slots = calloc(64, sizeof(struct entry *));
        if (shards[i].slots == NULL)
            return false;
    }
    return true;
}

static uint64_t hash_of(struct text bucket, struct text key) {
    return hash_text(hash_text(hash_seed, bucket), key);
}

static struct text entry_key(const struct entry *e) {
    return (struct text){(const char *)(e->next + e->levels), e->key_n};
}

static size_t entry_bytes(size_t levels, size_t key_n) {
    return sizeof(struct entry) + levels * sizeof(struct entry *) + key_n;
}

static struct shard *shard_of(uint64_t hash) {
    return &shards[hash >> 56];
}

// The link that points to the entry, or the NULL link at the chain's end. Under the shard's lock.
static struct entry **find_link(struct shard *s, uint64_t hash, struct text bucket,
                                struct text key) {
    struct entry **link = &s->slots[hash & (s->slot_count - 1)];
    for (; *link != NULL; link = &(*link)->chain) {
        struct entry *e = *link;
        if (e->hash == hash && text_is(entry_key(e), key) &&
            text_is((struct text){e->bucket->name, e->bucket->name_n}, bucket))
            break;
    }
    return link;
}

// Doubles a table that is full; when memory is short the chains just get longer.
static void grow_shard(struct shard *s) {
    if (s->entry_count < s->slot_count)
        return;
    size_t wider = s->slot_count * 2;
    struct entry **slots = calloc(wider, sizeof(struct entry *));
    if (slots == NULL)
        return;
    for (size_t i = 0; i < s->slot_count; i++) {
        for (struct entry *e = s->slots[i], *chain; e != NULL; e = chain) {
            chain = e->chain;
            e->chain = slots[e->hash & (wider - 1)];
            slots[e->hash & (wider - 1)] = e;
        }
    }
    free(s->slots);
    s->slots = slots;
    s->slot_count = wider;
}

// Where `name` is, or where it would be. Under the bucket lock.
static size_t bucket_place(struct text name, bool *found) {
    size_t low = 0, high = bucket_count;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        struct bucket *b = buckets[middle];
        int order = text_compare((struct text){b->name, b->name_n}, name);
        if (order == 0)
            *found = true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct bucket *bucket_find(struct text name) {
    bool found;
    size_t place = bucket_place(name, &found);
    return found ? buckets[place] : NULL;
}

bool store_has_bucket(struct text name) {
    pthread_rwlock_rdlock(&buckets_lock);
    bool found = bucket_find(name) != NULL;
    pthread_rwlock_unlock(&buckets_lock);
    return found;
}

// Under the bucket lock, when there are fewer than BUCKET_COUNT_MAX.
static void bucket_insert(size_t place, struct text name, int64_t now_s) {
    struct bucket *b = free_buckets;
    free_buckets = b->next_free;
    memset(b, 0, sizeof *b);
    memcpy(b->name, name.p, name.n);
    b->name_n = name.n;
    b->created_s = now_s;
    pthread_rwlock_init(&b->lock, NULL);
    memmove(buckets + place + 1, buckets + place, (bucket_count - place) * sizeof *buckets);
    buckets[place] = b;
    bucket_count++;
}

static void bucket_remove(size_t place) {
    struct bucket *b = buckets[place];
    pthread_rwlock_destroy(&b->lock);
    b->next_free = free_buckets;
    free_buckets = b;
    bucket_count--;
    memmove(buckets + place, buckets + place + 1, (bucket_count - place) * sizeof *buckets);
}

static enum store_result may_create(bool found) {
    return !found && bucket_count == BUCKET_COUNT_MAX ? STORE_FULL : STORE_OK;
}

static enum store_result may_delete(bool found, size_t place) {
    if (!found)
        return STORE_NO_BUCKET;
    return buckets[place]->key_count > 0 ? STORE_NOT_EMPTY : STORE_OK;
}

enum store_result store_create_bucket(struct text name, int64_t now_s) {
    bool found;
    pthread_rwlock_wrlock(&buckets_lock);
    size_t place = bucket_place(name, &found);
    enum store_result result = may_create(found);
    if (result == STORE_OK && !found)
        bucket_insert(place, name, now_s);
    pthread_rwlock_unlock(&buckets_lock);
    return result;
}

enum store_result store_delete_bucket(struct text name) {
    struct multipart *ended = NULL;
    bool found;
    pthread_rwlock_wrlock(&buckets_lock);
    size_t place = bucket_place(name, &found);
    enum store_result result = may_delete(found, place);
    if (result == STORE_OK) {
        bucket_remove(place);
        ended = multipart_end_bucket(name);
    }
    pthread_rwlock_unlock(&buckets_lock);
    multipart_free(ended);
    return result;
}

enum store_result store_may_create_bucket(struct text name) {
    bool found;
    pthread_rwlock_rdlock(&buckets_lock);
    bucket_place(name, &found);
    enum store_result result = may_create(found);
    pthread_rwlock_unlock(&buckets_lock);
    return result;
}

// Only the thread that changes the index may rely on it: it reads the count without a lock.
enum store_result store_may_delete_bucket(struct text name) {
    bool found;
    pthread_rwlock_rdlock(&buckets_lock);
    size_t place = bucket_place(name, &found);
    enum store_result result = may_delete(found, place);
    pthread_rwlock_unlock(&buckets_lock);
    return result;
}

void store_each_bucket(void (*each)(void *, struct text, int64_t), void *context) {
    pthread_rwlock_rdlock(&buckets_lock);
    for (size_t i = 0; i < bucket_count; i++)
        each(context, (struct text){buckets[i]->name, buckets[i]->name_n}, buckets[i]->created_s);
    pthread_rwlock_unlock(&buckets_lock);
}

// Fills `links` with the pointers, per level, to the first entry that is not below `key`.
static struct entry *seek(struct bucket *b, struct text key, struct entry **links[LEVEL_MAX]) {
    struct entry **level_links = b->head;
    for (int level = LEVEL_MAX - 1; level >= 0; level--) {
        while (level_links[level] != NULL && text_compare(entry_key(level_links[level]), key) < 0)
            level_links = level_links[level]->next;
        if (links != NULL)
            links[level] = &level_links[level];
    }
    return level_links[0];
}

enum store_result store_get(struct text bucket, struct text key, struct object **found) {
    uint64_t hash = hash_of(bucket, key);
    struct shard *s = shard_of(hash);
    pthread_mutex_lock(&s->lock);
    struct entry *e = *find_link(s, hash, bucket, key);
    *found = e == NULL ? NULL : object_hold(e->object);
    pthread_mutex_unlock(&s->lock);
    if (e != NULL)
        return STORE_OK;
    return store_has_bucket(bucket) ? STORE_NO_KEY : STORE_NO_BUCKET;
}

// Levels are drawn from the hash, whose seed nobody outside knows: p = 1/4 each.
static struct entry *entry_new(struct text key, uint64_t hash) {
    uint64_t drawn = hash_mix(hash, hash_seed) | 1ull << 2 * (LEVEL_MAX - 1);
    size_t levels = 1 + (size_t)(__builtin_ctzll(drawn) / 2);
    struct entry *e = slab_take(entry_bytes(levels, key.n));
    if (e == NULL)
        return NULL;
    e->hash = hash;
    e->key_n = (uint16_t)key.n;
    e->levels = (uint8_t)levels;
    if (key.n > 0)
        memcpy(e->next + levels, key.p, key.n);
    return e;
}

struct entry *store_reserve(struct text bucket, struct text key) {
    return entry_new(key, hash_of(bucket, key));
}

void store_give_back(struct entry *room) {
    if (room != NULL)
        slab_give(room, entry_bytes(room->levels, room->key_n));
}

// Under the bucket's write lock and the shard's lock.
static void insert(struct bucket *b, struct shard *s, struct entry *e, struct object *object) {
    struct entry **links[LEVEL_MAX];
    e->bucket = b;
    e->object = object;
    seek(b, entry_key(e), links);
    for (size_t level = 0; level < e->levels; level++) {
        e->next[level] = *links[level];
        *links[level] = e;
    }
    grow_shard(s);
    e->chain = s->slots[e->hash & (s->slot_count - 1)];
    s->slots[e->hash & (s->slot_count - 1)] = e;
    s->entry_count++;
    b->key_count++;
}

enum store_result store_put(struct text bucket, struct text key, struct object *object,
                            const struct conditions *conditions, struct entry *room) {
    enum store_result result = STORE_NO_BUCKET;
    uint64_t hash = hash_of(bucket, key);
    struct shard *s = shard_of(hash);
    struct object *replaced = NULL;
    pthread_rwlock_rdlock(&buckets_lock);
    struct bucket *b = bucket_find(bucket);
    if (b != NULL) {
        pthread_rwlock_wrlock(&b->lock);
        pthread_mutex_lock(&s->lock);
        struct entry *e = *find_link(s, hash, bucket, key);
        result = store_may_put(conditions, e == NULL ? NULL : e->object);
        if (result == STORE_OK && e != NULL) {
            replaced = e->object;
            e->object = object;
        } else if (result == STORE_OK) {
            struct entry *fresh = room != NULL ? room : entry_new(key, hash);
            result = fresh == NULL ? STORE_FULL : STORE_OK;
            if (fresh != NULL)
                insert(b, s, fresh, object);
            room = NULL;
        }
        pthread_mutex_unlock(&s->lock);
        pthread_rwlock_unlock(&b->lock);
    }
    pthread_rwlock_unlock(&buckets_lock);
    store_give_back(room);
    object_release(replaced);
    return result;
}

// Under both locks: takes the entry out of the list and the table.
static void unlink_entry(struct bucket *b, struct shard *s, struct entry **link) {
    struct entry **links[LEVEL_MAX];
    struct entry *e = *link;
    seek(b, entry_key(e), links);
    for (size_t level = 0; level < e->levels; level++)
        *links[level] = e->next[level];
    *link = e->chain;
    s->entry_count--;
    b->key_count--;
}

enum store_result store_delete(struct text bucket, struct text key) {
    enum store_result result = STORE_NO_BUCKET;
    uint64_t hash = hash_of(bucket, key);
    struct shard *s = shard_of(hash);
    struct entry *removed = NULL;
    pthread_rwlock_rdlock(&buckets_lock);
    struct bucket *b = bucket_find(bucket);
    if (b != NULL) {
        pthread_rwlock_wrlock(&b->lock);
        pthread_mutex_lock(&s->lock);
        struct entry **link = find_link(s, hash, bucket, key);
        removed = *link;
        if (removed != NULL)
            unlink_entry(b, s, link);
        result = removed == NULL ? STORE_NO_KEY : STORE_OK;
        pthread_mutex_unlock(&s->lock);
        pthread_rwlock_unlock(&b->lock);
    }
    pthread_rwlock_unlock(&buckets_lock);
    if (removed != NULL) {
        object_release(removed->object);
        store_give_back(removed);
    }
    return result;
}

static void copy_listed(struct entry *e, struct listed *item) {
    struct shard *s = shard_of(e->hash);
    pthread_mutex_lock(&s->lock);
    item->key = entry_key(e);
    item->size_bytes = e->object->size_bytes;
    item->modified_s = e->object->modified_s;
    memcpy(item->md5, e->object->md5, sizeof item->md5);
    item->parts = e->object->parts;
    pthread_mutex_unlock(&s->lock);
}

enum store_result store_list(struct text bucket, struct text from, store_visitor *visitor,
                             void *context) {
    pthread_rwlock_rdlock(&buckets_lock);
    struct bucket *b = bucket_find(bucket);
    if (b != NULL) {
        pthread_rwlock_rdlock(&b->lock);
        struct entry *e = seek(b, from, NULL);
        while (e != NULL) {
            struct listed item;
            struct text target = {NULL, 0};
            copy_listed(e, &item);
            enum visit next = visitor(context, &item, &target);
            if (next == VISIT_STOP)
                break;
            e = next == VISIT_SEEK ? seek(b, target, NULL) : e->next[0];
        }
        pthread_rwlock_unlock(&b->lock);
    }
    pthread_rwlock_unlock(&buckets_lock);
    return b == NULL ? STORE_NO_BUCKET : STORE_OK;
}
