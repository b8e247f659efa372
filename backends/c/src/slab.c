// Free lists per size class behind one lock each. Blocks are never returned to the system: what a
// peak needed stays mapped, bounded by the store's own limit, so a steady state never calls mmap.
#include "slab.h"
#include "memory_file.h"
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

// 64, 96, 128, 192 ... 65536: at most a third of a block is wasted.
#define CLASS_COUNT 21
#define FILE_CLASS 19 // the first of those that may lie in the memory file: 48 KiB
#define CHUNK_BYTES ((size_t)1 << 20)
#define HUGE_PAGE_BYTES ((size_t)2 << 20) // x86-64's, and that of arm64 with pages of 4 KiB

struct free_block {
    struct free_block *next;
};

struct size_class {
    _Alignas(64) pthread_mutex_t lock;
    struct free_block *free;
    char *fresh; // the uncut rest of the newest chunk
    size_t fresh_bytes;
};

static struct size_class classes[CLASS_COUNT];
static bool pool = true;
static size_t chunk_bytes = CHUNK_BYTES;
static bool has_file;

static void *map(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

// Only a page at its own alignment can be a huge one: maps twice as much, and keeps the middle.
static void *map_huge(void) {
    char *wide = map(2 * HUGE_PAGE_BYTES);
    if (wide == NULL)
        return NULL;
    size_t before = -(uintptr_t)wide % HUGE_PAGE_BYTES;
    char *aligned = wide + before;
    if (before > 0)
        munmap(wide, before);
    munmap(aligned + HUGE_PAGE_BYTES, HUGE_PAGE_BYTES - before);
    if (madvise(aligned, HUGE_PAGE_BYTES, MADV_HUGEPAGE) == 0)
        return aligned;
    munmap(aligned, HUGE_PAGE_BYTES);
    return NULL;
}

bool slab_start(enum slab_kind kind) {
    pool = kind != SLAB_MALLOC;
    chunk_bytes = kind == SLAB_POOL_OF_HUGE ? HUGE_PAGE_BYTES : CHUNK_BYTES;
    for (size_t i = 0; i < CLASS_COUNT; i++)
        pthread_mutex_init(&classes[i].lock, NULL);
    if (kind != SLAB_POOL_OF_HUGE)
        return true;
    void *probe = map_huge();
    if (probe != NULL)
        munmap(probe, HUGE_PAGE_BYTES);
    return probe != NULL;
}

void slab_use_memory_file(void) {
    has_file = true;
}

static size_t class_bytes(size_t index) {
    size_t power = (size_t)64 << (index / 2);
    return index % 2 == 0 ? power : power + power / 2;
}

static size_t class_of(size_t bytes) {
    if (bytes <= 64)
        return 0;
    size_t log2 = 63 - (size_t)__builtin_clzll((unsigned long long)(bytes - 1));
    size_t below = (size_t)1 << log2; // below < bytes <= 2 * below
    size_t index = (log2 - 6) * 2;
    return bytes <= below + below / 2 ? index + 1 : index + 2;
}

// Under the class's lock: the first block of the fresh chunk, or of a new one.
static void *cut_fresh(struct size_class *c, size_t bytes) {
    if (c->fresh_bytes < bytes) {
        void *chunk = has_file && c >= &classes[FILE_CLASS] ? memory_file_cut(chunk_bytes)
                      : chunk_bytes == HUGE_PAGE_BYTES      ? map_huge()
                                                            : map(chunk_bytes);
        if (chunk == NULL)
            return NULL;
        c->fresh = chunk;
        c->fresh_bytes = chunk_bytes;
    }
    void *block = c->fresh;
    c->fresh += bytes;
    c->fresh_bytes -= bytes;
    return block;
}

void *slab_take(size_t bytes) {
    if (!pool)
        return malloc(bytes == 0 ? 1 : bytes);
    size_t index = class_of(bytes);
    struct size_class *c = &classes[index];
    pthread_mutex_lock(&c->lock);
    void *block = c->free;
    if (block != NULL)
        c->free = c->free->next;
    else
        block = cut_fresh(c, class_bytes(index));
    pthread_mutex_unlock(&c->lock);
    return block;
}

void slab_give(void *block, size_t bytes) {
    if (!pool || block == NULL) {
        free(block);
        return;
    }
    size_t index = class_of(bytes);
    struct size_class *c = &classes[index];
    struct free_block *freed = block;
    if (has_file && index >= FILE_CLASS && !memory_file_forget(block, class_bytes(index)))
        return;
    pthread_mutex_lock(&c->lock);
    freed->next = c->free;
    c->free = freed;
    pthread_mutex_unlock(&c->lock);
}
