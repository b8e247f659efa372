// The shared ring: what is refused, and records of random sizes between two threads (under
// ThreadSanitizer) or two processes (under AddressSanitizer), each checked.
#include "shared_ring.h"
#include "crc32c.h"
#include "expect.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPACITY SHARED_RING_CAPACITY_LEAST
#define THREADS_RECORD_COUNT 1000000u
#define PROCESSES_RECORD_COUNT 4000000u

struct side {
    int ring_fd, wake_fd, peer_fd; // `wake_fd` is ours
    uint32_t count;
    // Attached already, or NULL. Two threads share one mapping: in two, ThreadSanitizer would see
    // two memories and no race.
    const struct shared_ring *mapped;
};

static struct shared_ring attach(const struct side *side) {
    struct shared_ring r;
    if (side->mapped != NULL)
        return *side->mapped;
    EXPECT(shared_ring_attach(&r, side->ring_fd) == NULL);
    return r;
}

static void detach(const struct side *side, struct shared_ring *r) {
    if (side->mapped == NULL)
        shared_ring_detach(r);
}

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Mostly small; every 1024th up to the largest, and that one itself.
static size_t size_of(uint64_t *state) {
    uint64_t drawn = next_random(state);
    if (drawn % 1024 == 0)
        return SHARED_RING_RECORD_BYTES_MAX;
    return drawn % 1024 == 1 ? (drawn >> 10) % SHARED_RING_RECORD_BYTES_MAX : (drawn >> 10) % 200;
}

static void pause_on(int fd) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    eventfd_t rings;
    poll(&wait, 1, -1);
    (void)eventfd_read(fd, &rings);
}

static void *produce(void *context) {
    const struct side *side = context;
    struct shared_ring r = attach(side);
    uint64_t state = 88172645463325252u;
    for (uint32_t i = 0; i < side->count; i++) {
        size_t n = size_of(&state);
        char *to;
        while ((to = shared_ring_reserve(&r, n)) == NULL) {
            shared_ring_say(&r.memory->producer_waits, true);
            if ((to = shared_ring_reserve(&r, n)) != NULL)
                break;
            pause_on(side->wake_fd);
        }
        memset(to, (int)(i & 0xff), n);
        shared_ring_commit(&r, 1 + i % 7, i, n);
        if (shared_ring_ask(&r.memory->consumer_sleeps))
            (void)eventfd_write(side->peer_fd, 1);
    }
    detach(side, &r);
    return NULL;
}

static void expect_record(const struct shared_record *record, uint32_t i, size_t n) {
    EXPECT(record->id == i && record->kind == 1 + i % 7 && record->n == n);
    for (size_t at = 0; at < n; at += at < 64 || n - at < 64 ? 1 : 61)
        EXPECT((unsigned char)record->p[at] == (i & 0xff));
}

static void consume(const struct side *side) {
    struct shared_ring r = attach(side);
    struct shared_record record;
    uint64_t state = 88172645463325252u;
    for (uint32_t i = 0; i < side->count; i++) {
        enum shared_ring_state found;
        while ((found = shared_ring_front(&r, &record)) == SHARED_RING_EMPTY) {
            shared_ring_say(&r.memory->consumer_sleeps, true);
            if ((found = shared_ring_front(&r, &record)) != SHARED_RING_EMPTY)
                break;
            pause_on(side->wake_fd);
        }
        EXPECT(found == SHARED_RING_RECORD);
        expect_record(&record, i, size_of(&state));
        shared_ring_pop(&r);
        if (shared_ring_ask(&r.memory->producer_waits))
            (void)eventfd_write(side->peer_fd, 1);
    }
    EXPECT(shared_ring_front(&r, &record) == SHARED_RING_EMPTY);
    detach(side, &r);
}

static void open_sides(struct side *from, struct side *to, uint32_t count) {
    int ring = shared_ring_create(CAPACITY);
    int first = eventfd(0, EFD_NONBLOCK), second = eventfd(0, EFD_NONBLOCK);
    EXPECT(ring >= 0 && first >= 0 && second >= 0);
    *from = (struct side){ring, first, second, count, NULL};
    *to = (struct side){ring, second, first, count, NULL};
}

static void close_side(const struct side *side) {
    close(side->ring_fd);
    close(side->wake_fd);
    close(side->peer_fd);
}

static void stress_threads(void) {
    struct side from, to;
    struct shared_ring mapped;
    pthread_t producer;
    open_sides(&from, &to, THREADS_RECORD_COUNT);
    EXPECT(shared_ring_attach(&mapped, from.ring_fd) == NULL);
    from.mapped = to.mapped = &mapped;
    EXPECT(pthread_create(&producer, NULL, produce, &from) == 0);
    consume(&to);
    pthread_join(producer, NULL);
    shared_ring_detach(&mapped);
    close_side(&from);
}

static void stress_processes(void) {
    struct side from, to;
    int status;
    open_sides(&from, &to, PROCESSES_RECORD_COUNT);
    pid_t child = fork();
    if (child == 0) {
        produce(&from);
        _exit(0);
    }
    consume(&to);
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    close_side(&from);
}

// A producer that is killed anywhere leaves whole records, and its socket tells.
static void test_killed_peer(void) {
    struct side from, to;
    struct shared_ring r;
    struct shared_record record;
    int ends[2], status;
    char word;
    open_sides(&from, &to, UINT32_MAX);
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        produce(&from);
        _exit(1);
    }
    close(ends[1]);
    EXPECT(shared_ring_attach(&r, to.ring_fd) == NULL);
    uint64_t state = 88172645463325252u;
    uint32_t i = 0;
    enum shared_ring_state found;
    while ((found = shared_ring_front(&r, &record)) != SHARED_RING_EMPTY || i < 5000) {
        EXPECT(found != SHARED_RING_BROKEN);
        if (found == SHARED_RING_EMPTY)
            continue;
        expect_record(&record, i++, size_of(&state));
        shared_ring_pop(&r);
        if (shared_ring_ask(&r.memory->producer_waits))
            (void)eventfd_write(to.peer_fd, 1);
        if (i == 5000)
            kill(child, SIGKILL);
    }
    EXPECT(recv(ends[0], &word, 1, 0) == 0);
    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    close(ends[0]);
    shared_ring_detach(&r);
    close_side(&to);
}

static void expect_refused(int fd, const char *reason) {
    struct shared_ring r;
    const char *got = shared_ring_attach(&r, fd);
    EXPECT(got != NULL && strstr(got, reason) != NULL && r.memory == NULL);
    close(fd);
}

static int damaged(size_t at, uint32_t value, bool with_crc) {
    struct shared_ring_head head;
    int fd = shared_ring_create(CAPACITY);
    EXPECT(pread(fd, &head, sizeof head, 0) == (ssize_t)sizeof head);
    memcpy((char *)&head + at, &value, sizeof value);
    if (with_crc)
        head.crc = crc32c(0, &head, offsetof(struct shared_ring_head, crc));
    EXPECT(pwrite(fd, &head, sizeof head, 0) == (ssize_t)sizeof head);
    return fd;
}

static int unsealed(off_t size) {
    struct shared_ring_head head;
    int good = shared_ring_create(CAPACITY), fd = memfd_create("test", MFD_CLOEXEC);
    EXPECT(pread(good, &head, sizeof head, 0) == (ssize_t)sizeof head);
    EXPECT(pwrite(fd, &head, sizeof head, 0) == (ssize_t)sizeof head && ftruncate(fd, size) == 0);
    close(good);
    return fd;
}

static void test_refusals(void) {
    expect_refused(memfd_create("test", MFD_CLOEXEC), "no head");
    expect_refused(damaged(offsetof(struct shared_ring_head, magic), 1, true), "no ring");
    expect_refused(damaged(offsetof(struct shared_ring_head, version), 2, true), "version");
    expect_refused(damaged(offsetof(struct shared_ring_head, zero), 1, false), "damaged");
    expect_refused(damaged(offsetof(struct shared_ring_head, crc), 1, false), "damaged");
    expect_refused(damaged(offsetof(struct shared_ring_head, record_bytes_max), 9, true), "sizes");
    expect_refused(damaged(offsetof(struct shared_ring_head, capacity), 4096, true), "sizes");
    expect_refused(damaged(offsetof(struct shared_ring_head, capacity), 2 * CAPACITY, true),
                   "shorter or longer");
    expect_refused(unsealed(4096), "shorter or longer");
    expect_refused(unsealed((off_t)(sizeof(struct shared_ring_memory) + CAPACITY)), "not sealed");
    EXPECT(shared_ring_create(CAPACITY + 1) < 0 && shared_ring_create(CAPACITY / 2) < 0);
}

// Full, empty, and every place where the end of the ring can fall.
static void test_bounds(void) {
    struct shared_ring in, out;
    struct shared_record record;
    int fd = shared_ring_create(CAPACITY);
    EXPECT(shared_ring_attach(&out, fd) == NULL && shared_ring_attach(&in, fd) == NULL);
    EXPECT(shared_ring_reserve(&out, SHARED_RING_RECORD_BYTES_MAX + 1) == NULL);
    uint32_t there = 0, back = 0;
    for (size_t n = 0; n < 3000; n += 7) {
        size_t size = n * 20;
        while (shared_ring_reserve(&out, size) != NULL)
            shared_ring_commit(&out, 1, there++, size);
        EXPECT(shared_ring_front(&in, &record) == SHARED_RING_RECORD && record.id == back);
        while (shared_ring_front(&in, &record) == SHARED_RING_RECORD) {
            EXPECT(record.id == back++ && record.n == size);
            shared_ring_pop(&in);
        }
        EXPECT(there == back && shared_ring_front(&in, &record) == SHARED_RING_EMPTY);
    }
    // What the other side wrote over is seen, not followed.
    EXPECT(shared_ring_reserve(&out, 8) != NULL);
    shared_ring_commit(&out, 1, there, 8);
    memset(out.memory->bytes, 0xff, CAPACITY);
    EXPECT(shared_ring_front(&in, &record) == SHARED_RING_BROKEN);
    shared_ring_detach(&in);
    shared_ring_detach(&out);
    close(fd);
}

int main(int count, char **arguments) {
    crc32c_start();
    alarm(300);
    if (count == 2 && strcmp(arguments[1], "threads") == 0) {
        stress_threads();
    } else {
        test_refusals();
        test_bounds();
        stress_processes();
        test_killed_peer();
    }
    puts("shared ring: good");
    return 0;
}
