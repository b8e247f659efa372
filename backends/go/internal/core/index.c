// Records, and the index of a bucket: tables by hash, and a skip list in byte order.
#include <string.h>

#include "core.h"
#include "slab.h"
#include "table.h"

struct pm_index {
    pm_core *core;
    pm_table
        tables[PM_TABLES]; // each grows on its own, so that none keeps the bucket's lock for long
    pm_node *heads[PM_LEVELS_MAX];
};

static size_t record_block_bytes(uint32_t key_bytes, uint32_t texts, uint32_t text_bytes) {
    return sizeof(pm_record) + texts * sizeof(uint32_t) + (size_t)key_bytes + text_bytes;
}

static size_t node_bytes(uint64_t levels) {
    return offsetof(pm_node, next) + levels * sizeof(pm_node *);
}

pm_record *pm_record_new(pm_core *core, void *body, uint64_t body_bytes, uint32_t key_bytes,
                         uint32_t texts, uint32_t text_bytes, uint32_t levels) {
    size_t bytes = record_block_bytes(key_bytes, texts, text_bytes);
    pm_record *record = pm_block_take(core, bytes);
    if (record == NULL)
        return NULL;
    pm_node *node = pm_block_take(core, node_bytes(levels));
    if (node == NULL) {
        pm_block_give(core, record, bytes);
        return NULL;
    }
    node->levels = levels;
    uint32_t *lengths = (uint32_t *)(record + 1);
    *record = (pm_record){.holders = 1,
                          .key_bytes = key_bytes,
                          .body_bytes = body_bytes,
                          .text_bytes = text_bytes,
                          .texts = texts,
                          .lengths = lengths,
                          .key = (char *)(lengths + texts),
                          .text = (char *)(lengths + texts) + key_bytes,
                          .body = body,
                          .node = node};
    return record;
}

static void free_node(pm_core *core, pm_node *node) {
    pm_block_give(core, node, node_bytes(node->levels));
}

void pm_record_free(pm_core *core, pm_record *record) {
    if (record->node != NULL)
        free_node(core, record->node);
    if (record->body != NULL)
        pm_block_give(core, record->body, record->body_bytes);
    pm_block_give(core, record,
                  record_block_bytes(record->key_bytes, record->texts, record->text_bytes));
}

static void let_go(pm_core *core, pm_record *record) {
    if (__atomic_sub_fetch(&record->holders, 1, __ATOMIC_ACQ_REL) == 0)
        pm_record_free(core, record);
}

pm_index *pm_index_new(pm_core *core) {
    pm_index *index = pm_zeros_take(core, sizeof *index);
    index->core = core;
    return index;
}

void pm_index_free(pm_index *index) {
    pm_zeros_give(index->core, index, sizeof *index);
}

static pm_table *table_of(pm_index *index, uint64_t hash) {
    return &index->tables[hash >> 58];
}

pm_record *pm_index_get(pm_index *index, uint64_t hash, const char *key, size_t key_bytes) {
    pm_slot *slot = pm_table_find(table_of(index, hash), hash, key, key_bytes);
    if (slot == NULL)
        return NULL;
    __atomic_add_fetch(&slot->node->record->holders, 1, __ATOMIC_RELAXED);
    return slot->node->record;
}

int pm_index_has(pm_index *index, uint64_t hash, const char *key, size_t key_bytes) {
    return pm_table_find(table_of(index, hash), hash, key, key_bytes) != NULL;
}

static int is_below(const pm_node *node, const char *key, size_t key_bytes) {
    const pm_record *record = node->record;
    size_t common = record->key_bytes < key_bytes ? record->key_bytes : key_bytes;
    int order = memcmp(record->key, key, common);
    return order < 0 || (order == 0 && record->key_bytes < key_bytes);
}

// The links that lead to the key's place, one a level.
static void find_path(pm_index *index, const char *key, size_t key_bytes,
                      pm_node **links[PM_LEVELS_MAX]) {
    pm_node *before = NULL;
    for (size_t level = PM_LEVELS_MAX; level-- > 0;) {
        pm_node **link = before == NULL ? &index->heads[level] : &before->next[level];
        while (*link != NULL && is_below(*link, key, key_bytes)) {
            before = *link;
            link = &before->next[level];
        }
        links[level] = link;
    }
}

static void link_node(pm_index *index, pm_node *node) {
    pm_node **links[PM_LEVELS_MAX];
    find_path(index, node->record->key, node->record->key_bytes, links);
    for (uint64_t level = 0; level < node->levels; level++) {
        node->next[level] = *links[level];
        *links[level] = node;
    }
}

static void unlink_node(pm_index *index, pm_node *node) {
    pm_node **links[PM_LEVELS_MAX];
    find_path(index, node->record->key, node->record->key_bytes, links);
    for (uint64_t level = 0; level < node->levels; level++)
        *links[level] = node->next[level];
}

int64_t pm_index_put(pm_index *index, uint64_t hash, pm_record *record) {
    pm_table *table = table_of(index, hash);
    pm_node *made = record->node;
    record->node = NULL;
    __atomic_add_fetch(&record->holders, 1, __ATOMIC_RELAXED);
    pm_slot *slot = pm_table_find(table, hash, record->key, record->key_bytes);
    if (slot == NULL) {
        made->record = record;
        link_node(index, made);
        pm_table_add(index->core, table, hash, made);
        return -1;
    }
    pm_record *old = slot->node->record;
    int64_t replaced_bytes = (int64_t)old->body_bytes;
    slot->node->record = record;
    let_go(index->core, old);
    free_node(index->core, made);
    return replaced_bytes;
}

int64_t pm_index_remove(pm_index *index, uint64_t hash, const char *key, size_t key_bytes) {
    pm_table *table = table_of(index, hash);
    pm_slot *slot = pm_table_find(table, hash, key, key_bytes);
    if (slot == NULL)
        return -1;
    pm_node *node = slot->node;
    pm_record *record = node->record;
    int64_t bytes = (int64_t)record->body_bytes;
    unlink_node(index, node);
    pm_table_remove(index->core, table, slot);
    free_node(index->core, node);
    let_go(index->core, record);
    return bytes;
}

pm_node *pm_index_seek(pm_index *index, const char *key, size_t key_bytes) {
    pm_node **links[PM_LEVELS_MAX];
    find_path(index, key, key_bytes, links);
    return *links[0];
}
