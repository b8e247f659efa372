// What of the slabs only the core itself uses: memory of zeros for heads and tables of indexes.
#ifndef PAUSEMARK_SLAB_H
#define PAUSEMARK_SLAB_H

#include "core.h"

// Not bounded: it follows the keys and the buckets, and those are. Where there is none, the process
// ends.
void *pm_zeros_take(pm_core *core, size_t bytes);
void pm_zeros_give(pm_core *core, void *zeros, size_t bytes); // null only for no bytes

#endif
