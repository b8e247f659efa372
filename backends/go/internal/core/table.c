// A part of an index's hash table.
#include "table.h"

#include <string.h>

#include "slab.h"

enum { SLOTS_AT_LEAST = 16 };

pm_slot *pm_table_find(const pm_table *table, uint64_t hash, const char *key, size_t key_bytes) {
    if (table->size == 0)
        return NULL;
    size_t mask = table->size - 1;
    for (size_t at = hash & mask; table->slots[at].node != NULL; at = (at + 1) & mask) {
        pm_slot *slot = &table->slots[at];
        const pm_record *record = slot->node->record;
        if (slot->hash == hash && record->key_bytes == key_bytes &&
            memcmp(record->key, key, key_bytes) == 0)
            return slot;
    }
    return NULL;
}

static void place(pm_table *table, pm_slot slot) {
    size_t mask = table->size - 1;
    size_t at = slot.hash & mask;
    while (table->slots[at].node != NULL)
        at = (at + 1) & mask;
    table->slots[at] = slot;
}

static void grow(pm_core *core, pm_table *table) {
    pm_table old = *table;
    table->size = old.size == 0 ? SLOTS_AT_LEAST : 2 * old.size;
    table->slots = pm_zeros_take(core, table->size * sizeof *table->slots);
    for (size_t at = 0; at < old.size; at++)
        if (old.slots[at].node != NULL)
            place(table, old.slots[at]);
    pm_zeros_give(core, old.slots, old.size * sizeof *old.slots);
}

void pm_table_add(pm_core *core, pm_table *table, uint64_t hash, pm_node *node) {
    if (4 * (table->count + 1) > 3 * table->size)
        grow(core, table);
    place(table, (pm_slot){hash, node});
    table->count++;
}

void pm_table_remove(pm_core *core, pm_table *table, pm_slot *slot) {
    size_t mask = table->size - 1;
    size_t hole = (size_t)(slot - table->slots);
    for (size_t at = (hole + 1) & mask; table->slots[at].node != NULL; at = (at + 1) & mask) {
        size_t home = table->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            table->slots[hole] = table->slots[at];
            hole = at;
        }
    }
    table->slots[hole] = (pm_slot){0, NULL};
    if (--table->count == 0) {
        pm_zeros_give(core, table->slots, table->size * sizeof *table->slots);
        *table = (pm_table){NULL, 0, 0};
    }
}
