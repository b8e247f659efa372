// Size-classed memory for bodies, objects and index entries: one mapping at a time, cut into
// blocks.
#ifndef PAUSEMARK_SLAB_H
#define PAUSEMARK_SLAB_H
#include <stdbool.h>
#include <stddef.h>

// The largest block, and the piece size of a body longer than this.
#define SLAB_BLOCK_BYTES_MAX ((size_t)65536)

enum slab_kind {
    SLAB_MALLOC,      // no slabs: every request goes to malloc
    SLAB_POOL,        // mappings of 1 MiB, pages as the system has them
    SLAB_POOL_OF_HUGE // mappings of a huge page each, that ask for it
};
// Call once before any thread starts. False with errno set when the system knows no huge pages.
bool slab_start(enum slab_kind kind);
// Call behind slab_start: blocks of more than 32 KiB come from the memory file, which has begun.
void slab_use_memory_file(void);
// Thread safe. At most SLAB_BLOCK_BYTES_MAX bytes; NULL when the system has no more.
void *slab_take(size_t bytes);
// Thread safe; `bytes` is what was asked for. NULL is allowed.
void slab_give(void *block, size_t bytes);
#endif
