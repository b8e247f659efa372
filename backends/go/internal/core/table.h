// A part of an index's hash table: open addressing; the whole hash stands in a slot, so that
// growing reads nothing else.
#ifndef PAUSEMARK_TABLE_H
#define PAUSEMARK_TABLE_H

#include "core.h"

typedef struct pm_slot {
    uint64_t hash;
    pm_node *node; // null: empty
} pm_slot;

typedef struct pm_table {
    pm_slot *slots;
    size_t size; // a power of two, or 0
    size_t count;
} pm_table;

pm_slot *pm_table_find(const pm_table *table, uint64_t hash, const char *key, size_t key_bytes);
// Adds a node that is not there yet.
void pm_table_add(pm_core *core, pm_table *table, uint64_t hash, pm_node *node);
// Empties a slot and moves back what stands behind it and came from before it.
void pm_table_remove(pm_core *core, pm_table *table, pm_slot *slot);

#endif
