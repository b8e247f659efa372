// Size-classed memory for bodies, objects and index entries: one mapping of 1 MiB at a time, cut
// into blocks.
#ifndef PAUSEMARK_SLAB_H
#define PAUSEMARK_SLAB_H
#include <stdbool.h>
#include <stddef.h>

// The largest block, and the piece size of a body longer than this.
#define SLAB_BLOCK_BYTES_MAX ((size_t)65536)

// Call once before any thread starts. `use_pool` false gives every request to malloc instead.
void slab_start(bool use_pool);
// Thread safe. At most SLAB_BLOCK_BYTES_MAX bytes; NULL when the system has no more.
void *slab_take(size_t bytes);
// Thread safe; `bytes` is what was asked for. NULL is allowed.
void slab_give(void *block, size_t bytes);
#endif
