// A lane of the bridge against a storage that this test plays: bytes both ways, a client that does
// not read or send on, ends and hang-ups, and ids that come back.
#include "bridge.h"
#include "crc32c.h"
#include "expect.h"
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct channel channel;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

// An address in the abstract name space, which the kernel chooses.
static int open_listener(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t n = sizeof address;
    EXPECT(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0 && listen(fd, 64) == 0);
    EXPECT(getsockname(fd, (struct sockaddr *)&address, &n) == 0);
    return fd;
}

static void start_lane(void) {
    int fds[CHANNEL_FDS];
    pthread_t thread;
    EXPECT(channel_create(fds));
    const int theirs[CHANNEL_FDS] = {dup(fds[CHANNEL_OUT]), dup(fds[CHANNEL_IN]),
                                     dup(fds[CHANNEL_PEER]), dup(fds[CHANNEL_WAKE])};
    static struct channel other;
    EXPECT(channel_attach(&channel, fds) == NULL && channel_attach(&other, theirs) == NULL);
    struct bridge_lane *lane = bridge_lane_create(open_listener(), &other);
    EXPECT(lane != NULL && pthread_create(&thread, NULL, bridge_lane_run, lane) == 0);
}

static uint32_t credits[CHANNEL_STREAMS_MAX];

// The next record but credit, which is counted; the caller pops it. A lane that says nothing for
// 10 s is a failure.
static struct shared_record next(void) {
    struct shared_record record;
    struct pollfd wake = {.fd = channel.wake_fd, .events = POLLIN};
    channel_wake(&channel);
    for (;;) {
        enum shared_ring_state state = channel_next(&channel, &record);
        EXPECT(state != SHARED_RING_BROKEN);
        if (state == SHARED_RING_RECORD && record.kind != CHANNEL_CREDIT)
            return record;
        if (state == SHARED_RING_RECORD) {
            uint32_t credit;
            memcpy(&credit, record.p, sizeof credit);
            credits[record.id] += credit;
            channel_pop(&channel);
            continue;
        }
        bool sleeps = channel_lie_down(&channel, false);
        EXPECT(poll(&wake, 1, sleeps ? 10000 : 0) == 1 || !sleeps);
        channel_get_up(&channel, wake.revents != 0);
    }
}

struct client {
    int fd;
    uint32_t id;
};

static void expect_record(enum channel_kind kind, struct client c) {
    struct shared_record record = next();
    EXPECT(record.kind == kind && record.id == c.id);
    channel_pop(&channel);
}

static void put(enum channel_kind kind, struct client c, const void *bytes, size_t n) {
    EXPECT(channel_put(&channel, kind, c.id, bytes, n));
    channel_wake(&channel);
}

static struct client enter(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 6);
    EXPECT(connect(fd, (struct sockaddr *)&address, n) == 0);
    struct shared_record record = next();
    EXPECT(record.kind == CHANNEL_OPEN);
    channel_pop(&channel);
    credits[record.id] = 0;
    return (struct client){fd, record.id};
}

static void leave(struct client c) {
    close(c.fd);
    expect_record(CHANNEL_HANG_UP, c);
    put(CHANNEL_CLOSE, c, NULL, 0);
}

static void expect_echo(struct client c) {
    char got[5];
    EXPECT(send(c.fd, "hello", 5, 0) == 5);
    struct shared_record record = next();
    EXPECT(record.kind == CHANNEL_DATA && record.id == c.id && record.n == 5);
    EXPECT(memcmp(record.p, "hello", 5) == 0);
    channel_pop(&channel);
    put(CHANNEL_DATA, c, "world", 5);
    EXPECT(recv(c.fd, got, 5, MSG_WAITALL) == 5 && memcmp(got, "world", 5) == 0);
}

// Who reads nothing gives credit for what its socket takes, and no more; others go on; all of it
// comes once it reads.
static void test_no_reader(void) {
    static char block[SHARED_RING_RECORD_BYTES_MAX];
    struct client silent = enter(), other = enter();
    size_t sent = 0, got = 0;
    for (int i = 0; i < 100; i++) {
        for (; sent + sizeof block <= credits[silent.id] + CHANNEL_WINDOW_BYTES;
             sent += sizeof block)
            put(CHANNEL_DATA, silent, block, sizeof block);
        expect_echo(other);
    }
    EXPECT(sent > CHANNEL_WINDOW_BYTES && sent < 32 * CHANNEL_WINDOW_BYTES);
    for (; got < sent; got += sizeof block)
        EXPECT(recv(silent.fd, block, sizeof block, MSG_WAITALL) == (ssize_t)sizeof block);
    expect_echo(silent);
    EXPECT(credits[silent.id] + CHANNEL_WINDOW_BYTES / 2 > sent);
    leave(silent);
    leave(other);
}

// Who sends more than the window waits in its socket until there is credit.
static void test_no_credit(void) {
    static char block[2 * CHANNEL_WINDOW_BYTES];
    struct client sender = enter(), other = enter();
    const uint32_t credit = CHANNEL_WINDOW_BYTES;
    int large = 2 * (int)sizeof block;
    size_t got = 0;
    setsockopt(sender.fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    ssize_t sent = send(sender.fd, block, sizeof block, MSG_DONTWAIT);
    EXPECT(sent > (ssize_t)CHANNEL_WINDOW_BYTES);
    while (got < (size_t)sent) {
        struct shared_record record = next();
        EXPECT(record.kind == CHANNEL_DATA && record.id == sender.id);
        got += record.n;
        channel_pop(&channel);
        if (got != CHANNEL_WINDOW_BYTES)
            continue;
        for (int i = 0; i < 100; i++)
            expect_echo(other); // and nothing of the sender comes between
        put(CHANNEL_CREDIT, sender, &credit, sizeof credit);
    }
    const uint32_t rest = (uint32_t)sent - CHANNEL_WINDOW_BYTES;
    put(CHANNEL_CREDIT, sender, &rest, sizeof rest); // without any it would not look for the end
    leave(sender);
    leave(other);
}

// A half-closed client is answered; an end is told apart from a hang-up; what was sent before the
// end arrives.
static void test_ends(void) {
    char last[5];
    struct client c = enter();
    shutdown(c.fd, SHUT_WR);
    expect_record(CHANNEL_END, c);
    put(CHANNEL_DATA, c, "x", 1);
    put(CHANNEL_END, c, NULL, 0);
    EXPECT(recv(c.fd, last, 1, 0) == 1 && recv(c.fd, last, 1, 0) == 0);
    expect_record(CHANNEL_HANG_UP, c); // both directions are shut, which the kernel tells so
    put(CHANNEL_CLOSE, c, NULL, 0);
    close(c.fd);
    c = enter();
    put(CHANNEL_DATA, c, "last", 4);
    put(CHANNEL_CLOSE, c, NULL, 0);
    EXPECT(recv(c.fd, last, 5, MSG_WAITALL) == 4 && memcmp(last, "last", 4) == 0);
    close(c.fd);
}

int main(void) {
    alarm(60);
    crc32c_start();
    start_lane();
    test_no_reader();
    test_no_credit();
    test_ends();
    puts("bridge: good");
    fflush(stdout);
    _exit(0); // the lane does not return
}
