// A bounded queue of pointers between exactly two threads, without locks: one pushes, the other
// pops.
#ifndef PAUSEMARK_RING_H
#define PAUSEMARK_RING_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define RING_ITEMS_MAX ((size_t)1024) // a power of two
#define RING_LINE_BYTES 64

// Positions only grow; the slot is the position modulo the size. Each side keeps a copy of the
// other's position and reads the shared one only when the copy says full or empty, so that the
// line that both share travels once a burst. All zeros is an empty ring.
struct ring {
    _Alignas(RING_LINE_BYTES) atomic_size_t tail; // written by the producer
    size_t head_seen;
    _Alignas(RING_LINE_BYTES) atomic_size_t head; // written by the consumer
    size_t tail_seen;
    _Alignas(RING_LINE_BYTES) void *items[RING_ITEMS_MAX];
};

// The producer's. False when it is full.
static inline bool ring_push(struct ring *r, void *item) {
    size_t at = atomic_load_explicit(&r->tail, memory_order_relaxed);
    if (at - r->head_seen == RING_ITEMS_MAX) {
        r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
        if (at - r->head_seen == RING_ITEMS_MAX)
            return false;
    }
    r->items[at % RING_ITEMS_MAX] = item;
    atomic_store_explicit(&r->tail, at + 1, memory_order_release);
    return true;
}

// The consumer's: the oldest item, or NULL when it is empty.
static inline void *ring_front(struct ring *r) {
    size_t at = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (at == r->tail_seen) {
        r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
        if (at == r->tail_seen)
            return NULL;
    }
    return r->items[at % RING_ITEMS_MAX];
}
// The consumer's, after ring_front gave an item.
static inline void ring_pop(struct ring *r) {
    size_t at = atomic_load_explicit(&r->head, memory_order_relaxed);
    atomic_store_explicit(&r->head, at + 1, memory_order_release);
}
#endif
