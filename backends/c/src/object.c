// Reference-counted objects and the accounting that keeps the store below its limit.
#include "object.h"
#include "object_chain.h"

// What an object costs beside its bytes: index entry, this structure, rounding.
#define OVERHEAD_BYTES 512u

static atomic_uint_fast64_t stored_bytes;
static uint64_t stored_bytes_max;

void object_limit_store(uint64_t limit) {
    stored_bytes_max = limit;
}

static bool charge(struct object *o, uint64_t bytes) {
    uint64_t before = atomic_fetch_add(&stored_bytes, bytes);
    if (bytes > stored_bytes_max || before > stored_bytes_max - bytes) {
        atomic_fetch_sub(&stored_bytes, bytes);
        return false;
    }
    o->charged_bytes += bytes;
    return true;
}

static size_t fields_bytes(const struct kept_headers *kept) {
    size_t sum = 0;
    for (unsigned which = 0; which < KEPT_COUNT; which++)
        sum += kept->values[which].n;
    for (size_t i = 0; i < kept->metadata_count; i++)
        sum += 2 * sizeof(uint16_t) + kept->metadata[i].name.n + kept->metadata[i].value.n;
    return sum;
}

static char *put(char *to, struct text t) {
    if (t.n > 0)
        memcpy(to, t.p, t.n);
    return to + t.n;
}

static void pack_fields(struct object *o, const struct kept_headers *kept) {
    char *to = o->fields;
    for (unsigned which = 0; which < KEPT_COUNT; which++) {
        to = put(to, kept->values[which]);
        o->kept_n[which] = (uint16_t)kept->values[which].n;
    }
    o->metadata_count = (uint16_t)kept->metadata_count;
    for (size_t i = 0; i < kept->metadata_count; i++) {
        uint16_t lengths[2] = {(uint16_t)kept->metadata[i].name.n,
                               (uint16_t)kept->metadata[i].value.n};
        memcpy(to, lengths, sizeof lengths);
        to = put(to + sizeof lengths, kept->metadata[i].name);
        to = put(to, kept->metadata[i].value);
    }
}

static struct object *create(size_t fields_n, uint64_t length, size_t key_bytes) {
    size_t bytes = sizeof(struct object) + fields_n;
    struct object *o = slab_take(bytes);
    if (o == NULL)
        return NULL;
    memset(o, 0, sizeof *o);
    atomic_init(&o->references, 1);
    atomic_init(&o->sharers, 1);
    o->allocated_bytes = (uint32_t)bytes;
    o->length_promised = length;
    uint64_t known = length == UINT64_MAX ? 0 : length;
    if (!charge(o, known + fields_n + key_bytes + OVERHEAD_BYTES)) {
        slab_give(o, bytes);
        return NULL;
    }
    return o;
}

struct object *object_create(const struct kept_headers *kept, uint64_t length, size_t key_bytes) {
    struct object *o = create(fields_bytes(kept), length, key_bytes);
    if (o != NULL)
        pack_fields(o, kept);
    return o;
}

struct object *object_create_like(const struct object *model, uint64_t length, size_t key_bytes) {
    size_t fields_n = model->allocated_bytes - sizeof *model;
    struct object *o = create(fields_n, length, key_bytes);
    if (o == NULL)
        return NULL;
    memcpy(o->fields, model->fields, fields_n);
    memcpy(o->kept_n, model->kept_n, sizeof o->kept_n);
    o->metadata_count = model->metadata_count;
    return o;
}

static char *block_at(const struct object *o, uint32_t index) {
    return o->table == NULL ? o->single : o->table[index];
}

// Makes room for one more pointer; the table doubles, so its cost stays a small share of the body.
static bool grow_table(struct object *o) {
    uint32_t wanted = o->table == NULL ? 8 : o->table_capacity * 2;
    if (o->block_count < (o->table == NULL ? 1 : o->table_capacity))
        return true;
    if (wanted * sizeof(char *) > SLAB_BLOCK_BYTES_MAX)
        return false;
    char **table = slab_take(wanted * sizeof(char *));
    if (table == NULL)
        return false;
    for (uint32_t i = 0; i < o->block_count; i++)
        table[i] = block_at(o, i);
    slab_give(o->table, o->table_capacity * sizeof(char *));
    o->table = table;
    o->table_capacity = wanted;
    return true;
}

static bool add_block(struct object *o) {
    bool known = o->length_promised != UINT64_MAX;
    uint64_t rest = known ? o->length_promised - o->size_bytes : SLAB_BLOCK_BYTES_MAX;
    size_t bytes = rest < SLAB_BLOCK_BYTES_MAX ? (size_t)rest : SLAB_BLOCK_BYTES_MAX;
    if (!known && !charge(o, bytes))
        return false;
    if (!grow_table(o))
        return false;
    char *block = slab_take(bytes);
    if (block == NULL)
        return false;
    if (o->table == NULL)
        o->single = block;
    else
        o->table[o->block_count] = block;
    o->block_count++;
    o->last_block_bytes = (uint32_t)bytes;
    return true;
}

bool object_append(struct object *o, const char *bytes, size_t n) {
    while (n > 0) {
        uint64_t before_last =
            o->block_count == 0 ? 0 : (uint64_t)(o->block_count - 1) * SLAB_BLOCK_BYTES_MAX;
        size_t used = (size_t)(o->size_bytes - before_last);
        if (o->block_count == 0 || used == o->last_block_bytes) {
            if (!add_block(o))
                return false;
            used = 0;
        }
        size_t room = o->last_block_bytes - used;
        size_t take = n < room ? n : room;
        memcpy(block_at(o, o->block_count - 1) + used, bytes, take);
        o->size_bytes += take;
        bytes += take;
        n -= take;
    }
    return true;
}

void object_seal(struct object *o) {
    if (o->length_promised != UINT64_MAX || o->block_count == 0)
        return;
    size_t used = (size_t)(o->size_bytes - (uint64_t)(o->block_count - 1) * SLAB_BLOCK_BYTES_MAX);
    char *wide = block_at(o, o->block_count - 1);
    char *tight = slab_take(used);
    if (tight == NULL || used == o->last_block_bytes) {
        slab_give(tight, used);
        return;
    }
    memcpy(tight, wide, used);
    slab_give(wide, o->last_block_bytes);
    if (o->table == NULL)
        o->single = tight;
    else
        o->table[o->block_count - 1] = tight;
    uint64_t spare = o->last_block_bytes - used;
    o->last_block_bytes = (uint32_t)used;
    o->charged_bytes -= spare;
    atomic_fetch_sub(&stored_bytes, spare);
}

struct object *object_hold(struct object *o) {
    atomic_fetch_add_explicit(&o->references, 1, memory_order_relaxed);
    return o;
}

struct object *object_share_blocks(struct object *o) {
    atomic_fetch_add_explicit(&o->sharers, 1, memory_order_relaxed);
    return o;
}

void object_release(struct object *o) {
    if (o == NULL || atomic_fetch_sub_explicit(&o->references, 1, memory_order_acq_rel) != 1)
        return;
    atomic_fetch_sub(&stored_bytes, o->charged_bytes);
    object_give_blocks(o);
}

void object_give_blocks(struct object *o) {
    if (atomic_fetch_sub_explicit(&o->sharers, 1, memory_order_acq_rel) != 1)
        return;
    object_chain_end(o);
    for (uint32_t i = 0; i < o->block_count; i++) {
        bool last = i + 1 == o->block_count;
        slab_give(block_at(o, i), last ? o->last_block_bytes : SLAB_BLOCK_BYTES_MAX);
    }
    slab_give(o->table, o->table_capacity * sizeof(char *));
    slab_give(o, o->allocated_bytes);
}

size_t object_put_etag(char *to, const uint8_t md5[16], uint16_t parts) {
    text_put_hex(to, md5, 16);
    if (parts == 0)
        return 32;
    to[32] = '-';
    return 33 + text_put_u64(to + 33, parts);
}

uint64_t object_charged_by_all(void) {
    return atomic_load(&stored_bytes);
}

// Where the kept header begins, or with KEPT_COUNT the metadata.
static size_t place_of(const struct object *o, unsigned which) {
    size_t at = 0;
    for (unsigned before = 0; before < which; before++)
        at += o->kept_n[before];
    return at;
}

struct text object_kept(const struct object *o, enum kept_header which) {
    return (struct text){o->fields + place_of(o, which), o->kept_n[which]};
}

bool object_metadata(const struct object *o, size_t *at, struct text *name, struct text *value) {
    if (*at == 0)
        *at = place_of(o, KEPT_COUNT);
    if (*at >= o->allocated_bytes - sizeof(struct object))
        return false;
    uint16_t lengths[2];
    memcpy(lengths, o->fields + *at, sizeof lengths);
    *name = (struct text){o->fields + *at + sizeof lengths, lengths[0]};
    *value = (struct text){name->p + name->n, lengths[1]};
    *at += sizeof lengths + name->n + value->n;
    return true;
}

struct text object_slice(const struct object *o, uint64_t offset) {
    if (o->pieces != NULL)
        return object_chain_slice(o, offset);
    uint32_t index = (uint32_t)(offset / SLAB_BLOCK_BYTES_MAX);
    uint64_t end = (uint64_t)(index + 1) * SLAB_BLOCK_BYTES_MAX;
    if (end > o->size_bytes)
        end = o->size_bytes;
    return (struct text){block_at(o, index) + offset % SLAB_BLOCK_BYTES_MAX,
                         (size_t)(end - offset)};
}
