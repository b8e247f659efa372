// Records lie in one piece: where the end of the ring is too near, a record of padding fills it.
#include "shared_ring.h"
#include "crc32c.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x474e49524b4d5350) // "PSMKRING"
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define KIND_PADDING 0

// Before each record, at multiples of its own size: there is always room for one at the end.
struct record_head {
    uint32_t n, kind, id, sequence;
};

static uint64_t round_up(uint64_t n) {
    return (n + sizeof(struct record_head) - 1) & ~(uint64_t)(sizeof(struct record_head) - 1);
}

static size_t mapped_bytes(uint64_t capacity) {
    return sizeof(struct shared_ring_memory) + (size_t)capacity;
}

static struct shared_ring_head make_head(uint64_t capacity) {
    struct shared_ring_head head = {.magic = MAGIC,
                                    .capacity = capacity,
                                    .version = SHARED_RING_VERSION,
                                    .head_bytes = sizeof(struct shared_ring_memory),
                                    .record_head_bytes = sizeof(struct record_head),
                                    .record_bytes_max = SHARED_RING_RECORD_BYTES_MAX};
    head.crc = crc32c(0, &head, offsetof(struct shared_ring_head, crc));
    return head;
}

static bool is_capacity(uint64_t n) {
    return n >= SHARED_RING_CAPACITY_LEAST && n <= SHARED_RING_CAPACITY_MOST && (n & (n - 1)) == 0;
}

int shared_ring_create(uint64_t capacity) {
    struct shared_ring_head head = make_head(capacity);
    if (!is_capacity(capacity)) {
        errno = EINVAL;
        return -1;
    }
    int fd = memfd_create("pausemark-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    // Sealed, because a peer that shrinks it would be our SIGBUS.
    if (ftruncate(fd, (off_t)mapped_bytes(capacity)) == 0 &&
        pwrite(fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
        fcntl(fd, F_ADD_SEALS, SEALS) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static const char *why_not(int fd, struct shared_ring_head *head) {
    struct stat found;
    if (pread(fd, head, sizeof *head, 0) != (ssize_t)sizeof *head)
        return "it has no head";
    if (head->magic != MAGIC)
        return "it is no ring";
    if (head->version != SHARED_RING_VERSION)
        return "it has another version";
    if (head->crc != crc32c(0, head, offsetof(struct shared_ring_head, crc)))
        return "its head is damaged";
    struct shared_ring_head expected = make_head(head->capacity);
    if (!is_capacity(head->capacity) || memcmp(head, &expected, sizeof expected) != 0)
        return "its sizes are not ours";
    if (fstat(fd, &found) != 0 || (uint64_t)found.st_size != mapped_bytes(head->capacity))
        return "it is shorter or longer than its head says";
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & SEALS) == SEALS ? NULL : "its size is not sealed";
}

const char *shared_ring_attach(struct shared_ring *r, int fd) {
    struct shared_ring_head head;
    *r = (struct shared_ring){0};
    const char *reason = why_not(fd, &head);
    if (reason != NULL)
        return reason;
    void *memory =
        mmap(NULL, mapped_bytes(head.capacity), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return "it cannot be mapped";
    r->memory = memory;
    r->capacity = head.capacity; // never read again from where the other side could change it
    return NULL;
}

void shared_ring_detach(struct shared_ring *r) {
    if (r->memory != NULL)
        munmap(r->memory, mapped_bytes(r->capacity));
    r->memory = NULL;
}

static struct record_head *head_at(const struct shared_ring *r, uint64_t position) {
    return (struct record_head *)(void *)(r->memory->bytes + (position & (r->capacity - 1)));
}

char *shared_ring_reserve(struct shared_ring *r, size_t n) {
    uint64_t step = sizeof(struct record_head) + round_up(n);
    uint64_t to_end = r->capacity - (r->at & (r->capacity - 1));
    uint64_t skip = to_end < step ? to_end : 0;
    if (n > SHARED_RING_RECORD_BYTES_MAX)
        return NULL;
    if (r->at + skip + step - r->other_seen > r->capacity) {
        r->other_seen = atomic_load_explicit(&r->memory->read, memory_order_acquire);
        if (r->at + skip + step - r->other_seen > r->capacity)
            return NULL;
    }
    r->skip = skip;
    return (char *)(head_at(r, r->at + skip) + 1);
}

void shared_ring_commit(struct shared_ring *r, uint32_t kind, uint32_t id, size_t n) {
    if (r->skip > 0)
        *head_at(r, r->at) =
            (struct record_head){.n = (uint32_t)(r->skip - sizeof(struct record_head)),
                                 .kind = KIND_PADDING,
                                 .sequence = r->sequence++};
    r->at += r->skip;
    *head_at(r, r->at) = (struct record_head){(uint32_t)n, kind, id, r->sequence++};
    r->at += sizeof(struct record_head) + round_up(n);
    r->skip = 0;
    atomic_store_explicit(&r->memory->written, r->at, memory_order_release);
}

// What is at our position, or the padding there. The head is copied before it is judged: the other
// side could still change it.
static bool take_head(struct shared_ring *r, struct record_head *head) {
    uint64_t ready = r->other_seen - r->at;
    uint64_t to_end = r->capacity - (r->at & (r->capacity - 1));
    memcpy(head, head_at(r, r->at), sizeof *head);
    r->step = sizeof *head + round_up(head->n);
    bool is_whole = ready <= r->capacity && r->step <= ready && r->step <= to_end;
    bool is_ours = head->sequence == r->sequence && (r->at & (sizeof *head - 1)) == 0;
    if (head->kind == KIND_PADDING)
        return is_whole && is_ours && r->step == to_end && r->step < ready;
    return is_whole && is_ours && head->n <= SHARED_RING_RECORD_BYTES_MAX;
}

static bool is_empty(struct shared_ring *r) {
    if (r->at == r->other_seen)
        r->other_seen = atomic_load_explicit(&r->memory->written, memory_order_acquire);
    return r->at == r->other_seen;
}

enum shared_ring_state shared_ring_front(struct shared_ring *r, struct shared_record *record) {
    struct record_head head;
    if (is_empty(r))
        return SHARED_RING_EMPTY;
    if (!take_head(r, &head))
        return SHARED_RING_BROKEN;
    if (head.kind == KIND_PADDING) {
        r->at += r->step;
        r->sequence++;
        if (!take_head(r, &head) || head.kind == KIND_PADDING)
            return SHARED_RING_BROKEN;
    }
    *record = (struct shared_record){head.kind, head.id, (char *)(head_at(r, r->at) + 1), head.n};
    return SHARED_RING_RECORD;
}

void shared_ring_pop(struct shared_ring *r) {
    r->at += r->step;
    r->sequence++;
    atomic_store_explicit(&r->memory->read, r->at, memory_order_release);
}
