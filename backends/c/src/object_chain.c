// A table of pieces, found by halving.
#include "object_chain.h"

static bool make_table(struct object *o, size_t count) {
    o->pieces = slab_take(count * sizeof *o->pieces);
    o->piece_count = o->pieces == NULL ? 0 : (uint32_t)count;
    return o->pieces != NULL;
}

bool object_join(struct object *o, struct object *const *parts, size_t count) {
    if (!make_table(o, count))
        return false;
    o->joins = true;
    for (size_t i = 0; i < count; i++) {
        o->size_bytes += parts[i]->size_bytes;
        o->pieces[i] = (struct object_piece){object_hold(parts[i]), o->size_bytes};
    }
    return true;
}

static bool copy_body(struct object *o, const struct object *source) {
    for (uint64_t at = 0; at < source->size_bytes;) {
        struct text slice = object_slice(source, at);
        if (!object_append(o, slice.p, slice.n))
            return false;
        at += slice.n;
    }
    return true;
}

// A source that is a chain itself lends its pieces, so that no chain has a chain in it.
bool object_share(struct object *o, struct object *source) {
    if (source->size_bytes <= SLAB_BLOCK_BYTES_MAX)
        return copy_body(o, source);
    struct object_piece whole = {source, source->size_bytes};
    const struct object_piece *pieces = source->pieces == NULL ? &whole : source->pieces;
    if (!make_table(o, source->pieces == NULL ? 1 : source->piece_count))
        return false;
    for (size_t i = 0; i < o->piece_count; i++)
        o->pieces[i] = (struct object_piece){object_share_blocks(pieces[i].of), pieces[i].end};
    o->size_bytes = source->size_bytes;
    return true;
}

struct text object_chain_slice(const struct object *o, uint64_t offset) {
    size_t low = 0, high = o->piece_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (o->pieces[middle].end > offset)
            high = middle;
        else
            low = middle + 1;
    }
    return object_slice(o->pieces[low].of, offset - (low == 0 ? 0 : o->pieces[low - 1].end));
}

void object_chain_end(struct object *o) {
    for (size_t i = 0; i < o->piece_count; i++) {
        if (o->joins)
            object_release(o->pieces[i].of);
        else
            object_give_blocks(o->pieces[i].of);
    }
    slab_give(o->pieces, o->piece_count * sizeof *o->pieces);
}
