// A bounded ring of records of any size in shared memory, between one producer and one consumer,
// who may be two processes. No locks; whoever attaches verifies what it finds.
#ifndef PAUSEMARK_SHARED_RING_H
#define PAUSEMARK_SHARED_RING_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARED_RING_LINE_BYTES 64
#define SHARED_RING_VERSION 1
#define SHARED_RING_RECORD_BYTES_MAX ((size_t)65536)
// The largest record fits wherever the ring stands: it takes at most twice its size.
#define SHARED_RING_CAPACITY_LEAST ((uint64_t)4 * SHARED_RING_RECORD_BYTES_MAX)
#define SHARED_RING_CAPACITY_MOST ((uint64_t)64 << 20)

// What was agreed when the ring was made; `crc` is CRC-32C over what stands before it.
struct shared_ring_head {
    uint64_t magic, capacity; // a power of two
    uint32_t version, head_bytes, record_head_bytes, record_bytes_max;
    uint32_t zero, crc;
};

// The beginning of the memory; the records' bytes follow. Positions only grow.
struct shared_ring_memory {
    struct shared_ring_head head;
    _Alignas(SHARED_RING_LINE_BYTES) _Atomic uint64_t written; // by the producer
    _Alignas(SHARED_RING_LINE_BYTES) _Atomic uint64_t read;    // by the consumer
    // Exchanged on both sides, so that one of the two always sees what the other did before.
    _Alignas(SHARED_RING_LINE_BYTES) atomic_uint consumer_sleeps;
    _Alignas(SHARED_RING_LINE_BYTES) atomic_uint producer_waits;
    _Alignas(SHARED_RING_LINE_BYTES) char bytes[];
};

struct shared_record {
    uint32_t kind, id; // the user's; kind is not 0
    char *p;           // in the ring, until shared_ring_pop
    size_t n;
};

// One side's own view.
struct shared_ring {
    struct shared_ring_memory *memory;
    uint64_t capacity;
    uint64_t at, other_seen; // our position, and the other's when we last looked
    uint64_t skip, step;     // what the record at hand takes: to the end of the ring, and itself
    uint32_t sequence;       // of the next record, so that a stray one is seen
};

// A sealed memory of `capacity` bytes and a head; -1 with errno.
int shared_ring_create(uint64_t capacity);
// NULL, or why it is refused: then nothing is mapped. The descriptor stays the caller's.
const char *shared_ring_attach(struct shared_ring *r, int fd);
void shared_ring_detach(struct shared_ring *r);

// The producer's: room for a record of up to `n` bytes, or NULL when it is full. Nothing is seen
// until shared_ring_commit, which may tell fewer bytes, or never come.
char *shared_ring_reserve(struct shared_ring *r, size_t n);
void shared_ring_commit(struct shared_ring *r, uint32_t kind, uint32_t id, size_t n);

enum shared_ring_state { SHARED_RING_EMPTY, SHARED_RING_RECORD, SHARED_RING_BROKEN };
// The consumer's: the oldest record, which stays until shared_ring_pop. Broken: what stands there
// is none of ours, and nothing behind it can be trusted.
enum shared_ring_state shared_ring_front(struct shared_ring *r, struct shared_record *record);
void shared_ring_pop(struct shared_ring *r);

// Who is about to sleep says so, looks once more, and gets up again. The other side asks behind
// what it did whether a wake is due: true once a sleep.
static inline void shared_ring_say(atomic_uint *flag, bool is_set) {
    atomic_exchange_explicit(flag, is_set, memory_order_acq_rel);
}
static inline bool shared_ring_ask(atomic_uint *flag) {
    return atomic_exchange_explicit(flag, 0, memory_order_acq_rel) != 0;
}
#endif
