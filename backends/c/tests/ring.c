// Two threads and two rings, under ThreadSanitizer: every number arrives once and in order.
#include "ring.h"
#include "expect.h"
#include <pthread.h>
#include <sched.h>

#define MESSAGE_COUNT 300000u

// What is pushed points at memory that the producer wrote without any lock: a missing release or
// acquire is a race on it.
struct message {
    size_t number;
};

struct pair {
    struct ring there, back;
};

static void *wait_for(struct ring *r) {
    void *item;
    while ((item = ring_front(r)) == NULL)
        sched_yield();
    ring_pop(r);
    return item;
}

static void *produce(void *context) {
    struct pair *rings = context;
    for (size_t i = 0; i < MESSAGE_COUNT; i++) {
        struct message *free_one = wait_for(&rings->back);
        free_one->number = i;
        while (!ring_push(&rings->there, free_one))
            sched_yield();
    }
    return NULL;
}

// Few messages make the ring run empty, more than it holds make it run full.
static void stress(size_t in_flight) {
    static struct message messages[2 * RING_ITEMS_MAX];
    struct pair *rings = aligned_alloc(RING_LINE_BYTES, sizeof *rings);
    pthread_t producer;
    EXPECT(rings != NULL);
    *rings = (struct pair){0};
    for (size_t i = 0; i < in_flight && i < RING_ITEMS_MAX; i++)
        EXPECT(ring_push(&rings->back, &messages[i]));
    EXPECT(pthread_create(&producer, NULL, produce, rings) == 0);
    for (size_t i = RING_ITEMS_MAX; i < in_flight; i++) {
        while (!ring_push(&rings->back, &messages[i]))
            sched_yield();
    }
    for (size_t i = 0; i < MESSAGE_COUNT; i++) {
        struct message *next = wait_for(&rings->there);
        EXPECT(next->number == i);
        // The last ones have nobody left to take them.
        while (i + in_flight < MESSAGE_COUNT && !ring_push(&rings->back, next))
            sched_yield();
    }
    pthread_join(producer, NULL);
    EXPECT(ring_front(&rings->there) == NULL);
    free(rings);
}

static void test_bounds(void) {
    static struct ring r;
    static char items[RING_ITEMS_MAX + 1];
    EXPECT(ring_front(&r) == NULL);
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < RING_ITEMS_MAX; i++)
            EXPECT(ring_push(&r, &items[i]));
        EXPECT(!ring_push(&r, &items[RING_ITEMS_MAX]));
        for (size_t i = 0; i < RING_ITEMS_MAX; i++) {
            EXPECT(ring_front(&r) == &items[i]);
            ring_pop(&r);
        }
        EXPECT(ring_front(&r) == NULL);
        // The next round begins elsewhere in the ring.
        EXPECT(ring_push(&r, &items[0]) && ring_front(&r) == &items[0]);
        ring_pop(&r);
    }
}

int main(void) {
    test_bounds();
    stress(1);
    stress(3);
    stress(RING_ITEMS_MAX);
    stress(RING_ITEMS_MAX + RING_ITEMS_MAX / 2);
    puts("ring: good");
    return 0;
}
