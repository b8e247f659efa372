// Blocks of size classes, cut from slabs that are malloc's; large ones are malloc's themselves.
#include "slab.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#define HIDE(block, bytes) ASAN_POISON_MEMORY_REGION(block, bytes)
#define SHOW(block, bytes) ASAN_UNPOISON_MEMORY_REGION(block, bytes)
#define NO_LEAK(zeros)                                                                             \
    __lsan_ignore_object(zeros) // Go knows the head of an index, which leads to the rest
#else
#define HIDE(block, bytes) ((void)(block), (void)(bytes))
#define SHOW(block, bytes) ((void)(block), (void)(bytes))
#define NO_LEAK(zeros) ((void)(zeros))
#endif

enum {
    SMALL_MAX = 64 << 10, // malloc gives the pages of larger blocks back to the system
    SLAB_BYTES = 1 << 20,
    CLASSES = 45, // of SMALL_MAX, and one more
};

struct slab {
    struct slab *next;
    uint64_t unused; // blocks are aligned to 16
};

struct size_class {
    pthread_mutex_t lock;
    void *free; // the first bytes of a free block lead to the next
    unsigned char *cut;
    size_t left; // bytes of the slab from `cut` on
};

struct pm_core {
    struct pm_core *next;
    uint64_t bytes_max;
    uint64_t held;   // atomic
    uint64_t in_use; // atomic
    struct slab *slabs;
    pthread_mutex_t lock; // of `slabs`
    struct size_class classes[CLASSES];
};

// Every core, so that what only Go knows of is no leak to a leak detector.
static struct pm_core *all;
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;

pm_core *pm_core_new(uint64_t bytes_max) {
    pm_core *core = calloc(1, sizeof *core);
    if (core == NULL)
        return NULL;
    core->bytes_max = bytes_max;
    pthread_mutex_init(&core->lock, NULL);
    for (size_t at = 0; at < CLASSES; at++)
        pthread_mutex_init(&core->classes[at].lock, NULL);
    pthread_mutex_lock(&all_lock);
    core->next = all;
    all = core;
    pthread_mutex_unlock(&all_lock);
    return core;
}

uint64_t pm_core_in_use(pm_core *core) {
    return __atomic_load_n(&core->in_use, __ATOMIC_RELAXED);
}

uint64_t pm_core_held(pm_core *core) {
    return __atomic_load_n(&core->held, __ATOMIC_RELAXED);
}

// Four classes lie in each doubling; returns the size of the class's blocks.
static size_t class_of(size_t bytes, size_t *class) {
    if (bytes <= 32) {
        *class = 0;
        return 32;
    }
    unsigned length = 64 - (unsigned)__builtin_clzll((unsigned long long)bytes - 1);
    size_t quarter = (bytes - 1) >> (length - 3);
    *class = (length - 6) * 4 + quarter - 3;
    return (quarter + 1) << (length - 3);
}

// Memory of the system's, or null; what is held never exceeds what is allowed.
static void *hold(pm_core *core, size_t bytes) {
    void *memory = NULL;
    if (__atomic_add_fetch(&core->held, bytes, __ATOMIC_RELAXED) <= core->bytes_max)
        memory = malloc(bytes);
    if (memory == NULL)
        __atomic_sub_fetch(&core->held, bytes, __ATOMIC_RELAXED);
    return memory;
}

// The class is locked.
static int add_slab(pm_core *core, struct size_class *class) {
    struct slab *slab = hold(core, SLAB_BYTES);
    if (slab == NULL)
        return 0;
    pthread_mutex_lock(&core->lock);
    slab->next = core->slabs;
    core->slabs = slab;
    pthread_mutex_unlock(&core->lock);
    class->cut = (unsigned char *)(slab + 1);
    class->left = SLAB_BYTES - sizeof *slab;
    HIDE(class->cut, class->left);
    return 1;
}

static void *take_small(pm_core *core, size_t bytes, size_t *block_bytes) {
    size_t number;
    *block_bytes = class_of(bytes, &number);
    struct size_class *class = &core->classes[number];
    pthread_mutex_lock(&class->lock);
    void *block = class->free;
    if (block != NULL) {
        class->free = *(void **)block;
    } else if (class->left >= *block_bytes || add_slab(core, class)) {
        block = class->cut;
        class->cut += *block_bytes;
        class->left -= *block_bytes;
    }
    pthread_mutex_unlock(&class->lock);
    if (block != NULL)
        SHOW(block, bytes);
    return block;
}

void *pm_block_take(pm_core *core, size_t bytes) {
    size_t block_bytes = bytes;
    void *block = bytes > SMALL_MAX ? hold(core, bytes) : take_small(core, bytes, &block_bytes);
    if (block != NULL)
        __atomic_add_fetch(&core->in_use, block_bytes, __ATOMIC_RELAXED);
    return block;
}

void pm_block_give(pm_core *core, void *block, size_t bytes) {
    if (bytes > SMALL_MAX) {
        free(block);
        __atomic_sub_fetch(&core->held, bytes, __ATOMIC_RELAXED);
        __atomic_sub_fetch(&core->in_use, bytes, __ATOMIC_RELAXED);
        return;
    }
    size_t number;
    size_t block_bytes = class_of(bytes, &number);
    struct size_class *class = &core->classes[number];
    SHOW(block, sizeof(void *));
    HIDE((unsigned char *)block + sizeof(void *), block_bytes - sizeof(void *));
    pthread_mutex_lock(&class->lock);
    *(void **)block = class->free;
    class->free = block;
    pthread_mutex_unlock(&class->lock);
    __atomic_sub_fetch(&core->in_use, block_bytes, __ATOMIC_RELAXED);
}

void *pm_zeros_take(pm_core *core, size_t bytes) {
    void *zeros = calloc(1, bytes);
    if (zeros == NULL) {
        fprintf(stderr, "fatal: core: no memory for %zu bytes of an index\n", bytes);
        abort();
    }
    NO_LEAK(zeros);
    __atomic_add_fetch(&core->held, bytes, __ATOMIC_RELAXED);
    return zeros;
}

void pm_zeros_give(pm_core *core, void *zeros, size_t bytes) {
    free(zeros);
    __atomic_sub_fetch(&core->held, bytes, __ATOMIC_RELAXED);
}
