// The storage core that lies behind cgo: bodies, records, keys and their order, in memory of C's
// library.
//
// Who allocates frees. A block is its caller's until pm_record_new takes it; a record has one
// holder then, its caller. An index holds what is put into it; pm_index_get adds a holder. The last
// holder frees a record with its body. C keeps no pointer that Go passed: what is kept is in
// blocks.
//
// Threads: blocks may be taken and given by any; holders are counted atomically; an index is its
// caller's to lock, for reading (get, seek, and what is read of nodes) or for writing (put,
// remove).
#ifndef PAUSEMARK_CORE_H
#define PAUSEMARK_CORE_H

#include <stddef.h>
#include <stdint.h>

enum { PM_LEVELS_MAX = 12, PM_TABLES = 64 };

typedef struct pm_core pm_core;
typedef struct pm_node pm_node;
typedef struct pm_index pm_index;

// An object. Lengths of texts, key and texts lie behind it in one block; the body has its own.
typedef struct pm_record {
    int32_t holders; // atomic
    uint32_t key_bytes;
    uint64_t body_bytes;
    int64_t seconds; // since 1970, with the nanoseconds: when the object was made
    uint32_t nanoseconds;
    uint32_t text_bytes; // of all texts together
    uint32_t headers;    // how many of the texts are a header's name and value
    uint32_t checksums;  // likewise, behind them
    uint32_t texts;      // how many there are
    uint32_t *lengths;   // of each text
    char *key;
    char *text;
    unsigned char *body; // null where there are no bytes
    pm_node *node;       // made ahead for the index, or null
} pm_record;

// A key in byte order.
struct pm_node {
    pm_record *record;
    uint64_t levels;
    pm_node *next[1]; // as many as it has levels
};

// Null where there is no memory. `bytes_max` bounds what the core takes from the system. It lives
// for as long as the process: who reads may be the last to know of it.
pm_core *pm_core_new(uint64_t bytes_max);
uint64_t pm_core_in_use(pm_core *core); // bytes of the blocks that are taken
uint64_t pm_core_held(pm_core *core);   // bytes that were taken from the system

// Null where there is no memory, or no more of it is allowed.
void *pm_block_take(pm_core *core, size_t bytes);
void pm_block_give(pm_core *core, void *block,
                   size_t bytes); // with the bytes that it was taken with

// Takes the body, which may be null, unless it returns null. The numbers, the lengths, the key and
// the texts are the caller's to fill in; the node for an index is there, so that a put cannot fail.
pm_record *pm_record_new(pm_core *core, void *body, uint64_t body_bytes, uint32_t key_bytes,
                         uint32_t texts, uint32_t text_bytes, uint32_t levels);
void pm_record_free(pm_core *core, pm_record *record); // by the last holder

// Where there is no memory for the head of an index, or for its table to grow, the process ends, as
// Go's does: a log that has promised a write must be able to do it.
pm_index *pm_index_new(pm_core *core);
void pm_index_free(pm_index *index); // which must be empty

// The record of a key with one holder more, or null. The hash is the same for the same key, always.
pm_record *pm_index_get(pm_index *index, uint64_t hash, const char *key, size_t key_bytes);
// 1 or 0: whether the key is there, without a holder more.
int pm_index_has(pm_index *index, uint64_t hash, const char *key, size_t key_bytes);
// Adds a record with a node, under its key, and lets go of the one that was there, whose size it
// tells; -1 where there was none.
int64_t pm_index_put(pm_index *index, uint64_t hash, pm_record *record);
// Lets go of a key's record and tells its size; -1 where there was none.
int64_t pm_index_remove(pm_index *index, uint64_t hash, const char *key, size_t key_bytes);
// The first node whose key is not below this one, or null; next[0] is the one behind it.
pm_node *pm_index_seek(pm_index *index, const char *key, size_t key_bytes);

#endif
