// Bodies made of the blocks of others: a multipart object of its parts, a copy of its source.
#ifndef PAUSEMARK_OBJECT_CHAIN_H
#define PAUSEMARK_OBJECT_CHAIN_H
#include "object.h"

#define PART_BYTES_MIN ((uint64_t)5 << 20) // of every part but the last
// The largest object in the smallest parts.
#define OBJECT_PIECES_MAX (OBJECT_BLOCKS_MAX * SLAB_BLOCK_BYTES_MAX / PART_BYTES_MIN + 1)

struct object_piece {
    struct object *of; // which has blocks of its own
    uint64_t end;      // in the whole body, behind this piece
};

// Both give `o`, which has no body yet, one; false when there is no memory.
//
// The parts one behind the other, at most OBJECT_PIECES_MAX. It uses them as long as it lives, so
// they are charged for: `o` itself for no length.
bool object_join(struct object *o, struct object *const *parts, size_t count);
// The source's body. Each is charged for the whole length, because the other may go first. Up to a
// block is copied: sharing it would keep more of the source than of its body.
bool object_share(struct object *o, struct object *source);

// Called by object.c alone.
struct text object_chain_slice(const struct object *o, uint64_t offset);
void object_chain_end(struct object *o);
#endif
