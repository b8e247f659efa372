// One listener's sockets and one channel: bytes from each socket into the ring while its credit
// lasts, and from the ring to the socket, or into its pending bytes, which the credit bounds.
#include "bridge.h"
#include "worker.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define RECORDS_A_TURN_MAX 256
#define CREDIT_BYTES_LEAST (CHANNEL_WINDOW_BYTES / 2)

struct peer {
    struct links owed; // on the lane's list exactly while `owes`
    int fd;
    uint32_t id;
    uint32_t watched;          // what epoll reports; 0 and not is_registered: nothing at all
    uint32_t may_send, passed; // credit we have; bytes for which we owe some
    bool is_registered, owes, owes_end, owes_hang_up;
    bool has_told_end, is_gone; // no more from the socket; nothing to it either
    bool ends, closes;          // once what is pending is out
    char *pending;              // owned
    size_t pending_at, pending_n;
};

struct bridge_lane {
    struct channel channel;
    int epoll, listener, spare_fd;
    struct links owed;
    struct peer *peers[CHANNEL_STREAMS_MAX];
    uint32_t free_ids[CHANNEL_STREAMS_MAX], free_count;
};

static bool add(struct bridge_lane *l, int fd, void *who) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

struct bridge_lane *bridge_lane_create(int listener, const struct channel *channel) {
    struct bridge_lane *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->channel = *channel;
    l->listener = listener;
    l->owed.next = l->owed.previous = &l->owed;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    while (l->free_count < CHANNEL_STREAMS_MAX) { // the lowest on top
        l->free_ids[l->free_count] = CHANNEL_STREAMS_MAX - 1 - l->free_count;
        l->free_count++;
    }
    return add(l, listener, NULL) && add(l, l->channel.wake_fd, l) ? l : NULL;
}

// The storage is the same program: this is a fault, and going on could mix clients up.
static void break_off(void) {
    fprintf(stderr, "error: bridge: the storage's ring: a record that cannot be\n");
    _exit(EXIT_FAILURE);
}

static void owe(struct bridge_lane *l, struct peer *p) {
    if (p->owes)
        return;
    p->owes = true;
    links_add(&l->owed, &p->owed);
}

static void watch(struct bridge_lane *l, struct peer *p) {
    uint32_t wanted = p->pending_n > 0 ? EPOLLOUT : 0u;
    if (p->may_send > 0 && !p->has_told_end && !p->closes)
        wanted |= EPOLLIN;
    // A hang-up is reported whether asked for or not: a socket that is gone, or that has nothing
    // for us to do, is not asked at all.
    bool registers = wanted != 0 || (!p->is_gone && p->may_send > 0);
    struct epoll_event event = {.events = wanted, .data.ptr = p};
    if (registers == p->is_registered && wanted == p->watched)
        return;
    int what = !registers ? EPOLL_CTL_DEL : p->is_registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    epoll_ctl(l->epoll, what, p->fd, &event);
    p->is_registered = registers;
    p->watched = wanted;
}

// Events of this round may name it no more: it is freed in between rounds only.
static void end(struct bridge_lane *l, struct peer *p) {
    if (p->owes)
        links_remove(&p->owed);
    close(p->fd);
    l->peers[p->id] = NULL;
    l->free_ids[l->free_count++] = p->id;
    free(p->pending);
    free(p);
}

static void hang_up(struct bridge_lane *l, struct peer *p) {
    p->is_gone = p->has_told_end = true;
    p->owes_hang_up = !p->closes;
    p->pending_n = 0;
    if (p->owes_hang_up)
        owe(l, p);
}

// Returns how much the socket took, and gives credit for it.
static size_t pass_on(struct bridge_lane *l, struct peer *p, const char *bytes, size_t n) {
    ssize_t sent = send(p->fd, bytes, n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        hang_up(l, p);
        return n;
    }
    p->passed += sent < 0 ? 0 : (uint32_t)sent;
    if (p->passed >= CREDIT_BYTES_LEAST)
        owe(l, p);
    return sent < 0 ? 0 : (size_t)sent;
}

// What waits for the socket; the storage's credit bounds it.
static void keep(struct bridge_lane *l, struct peer *p, const char *bytes, size_t n) {
    if (p->pending_n + n > CHANNEL_WINDOW_BYTES)
        break_off();
    char *kept = malloc(p->pending_n + n);
    if (kept == NULL) {
        hang_up(l, p);
        return;
    }
    if (p->pending_n > 0)
        memcpy(kept, p->pending + p->pending_at, p->pending_n);
    memcpy(kept + p->pending_n, bytes, n);
    free(p->pending);
    p->pending = kept;
    p->pending_at = 0;
    p->pending_n += n;
}

// What was asked for behind the last byte. True when the peer is over.
static bool settle(struct bridge_lane *l, struct peer *p) {
    if (p->pending_n == 0 && p->ends && !p->is_gone)
        shutdown(p->fd, SHUT_WR);
    if (p->pending_n == 0)
        p->ends = false;
    if (p->closes && p->pending_n == 0)
        return true;
    watch(l, p);
    return false;
}

static void flush(struct bridge_lane *l, struct peer *p) {
    size_t gone = pass_on(l, p, p->pending + p->pending_at, p->pending_n);
    if (p->is_gone)
        return;
    p->pending_at += gone;
    p->pending_n -= gone;
}

static void take_data(struct bridge_lane *l, struct peer *p, const char *bytes, size_t n) {
    if (p->is_gone)
        return;
    size_t gone = p->pending_n > 0 ? 0 : pass_on(l, p, bytes, n);
    if (gone < n)
        keep(l, p, bytes + gone, n - gone);
}

static bool add_credit(struct peer *p, const struct shared_record *r) {
    uint32_t credit = 0;
    if (r->n != sizeof credit)
        return false;
    memcpy(&credit, r->p, sizeof credit);
    if (credit > CHANNEL_WINDOW_BYTES - p->may_send)
        return false;
    p->may_send += credit;
    return true;
}

static void take(struct bridge_lane *l, const struct shared_record *r) {
    struct peer *p = r->id < CHANNEL_STREAMS_MAX ? l->peers[r->id] : NULL;
    if (p == NULL || p->closes)
        break_off();
    else if (r->kind == CHANNEL_DATA)
        take_data(l, p, r->p, r->n);
    else if (r->kind == CHANNEL_END)
        p->ends = true;
    else if (r->kind == CHANNEL_CLOSE)
        p->closes = true;
    else if (r->kind != CHANNEL_CREDIT || !add_credit(p, r))
        break_off();
    if (p != NULL && settle(l, p))
        end(l, p);
}

static void take_records(struct bridge_lane *l) {
    struct shared_record record;
    for (int i = 0; i < RECORDS_A_TURN_MAX; i++) {
        enum shared_ring_state state = channel_next(&l->channel, &record);
        if (state == SHARED_RING_EMPTY)
            return;
        if (state == SHARED_RING_BROKEN)
            break_off();
        take(l, &record);
        channel_pop(&l->channel);
    }
}

// False when the ring is full.
static bool pay(struct bridge_lane *l, struct peer *p) {
    if (p->passed >= CREDIT_BYTES_LEAST) {
        if (!channel_put(&l->channel, CHANNEL_CREDIT, p->id, &p->passed, sizeof p->passed))
            return false;
        p->passed = 0;
    }
    if (p->owes_end && !channel_put(&l->channel, CHANNEL_END, p->id, NULL, 0))
        return false;
    p->owes_end = false;
    if (p->owes_hang_up && !channel_put(&l->channel, CHANNEL_HANG_UP, p->id, NULL, 0))
        return false;
    p->owes_hang_up = false;
    return true;
}

static void pay_owed(struct bridge_lane *l) {
    while (l->owed.next != &l->owed) {
        struct peer *p = (struct peer *)l->owed.next; // `owed` is its first member
        if (!p->closes && !pay(l, p))
            return;
        links_remove(&p->owed);
        p->owes = false;
    }
}

static bool begin(struct bridge_lane *l, int fd) {
    struct peer *p = l->free_count == 0 ? NULL : calloc(1, sizeof *p);
    if (p == NULL || !add(l, fd, p)) {
        free(p);
        return false;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); // no TCP behind nginx
    p->fd = fd;
    p->id = l->free_ids[--l->free_count];
    p->may_send = CHANNEL_WINDOW_BYTES;
    p->is_registered = true;
    p->watched = EPOLLIN;
    l->peers[p->id] = p;
    return channel_put(&l->channel, CHANNEL_OPEN, p->id, NULL, 0); // there was room
}

// As a worker's: with the spare descriptor, or the listener would stay readable. -1: nobody waits.
static int take_without_descriptor(struct bridge_lane *l) {
    close(l->spare_fd);
    int fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        fprintf(stderr, "pausemark-c: connection refused: out of file descriptors\n");
    return fd;
}

static void accept_all(struct bridge_lane *l) {
    for (int i = 0; i < EVENTS_MAX && channel_has_room(&l->channel); i++) {
        int fd = accept4(l->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && !begin(l, fd))
            close(fd);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
            fd = l->spare_fd < 0 ? -1 : take_without_descriptor(l);
        if (fd < 0)
            return;
    }
}

// Straight into the ring. There is room for a record of any size.
static void read_socket(struct bridge_lane *l, struct peer *p, uint32_t events) {
    size_t most =
        p->may_send < SHARED_RING_RECORD_BYTES_MAX ? p->may_send : SHARED_RING_RECORD_BYTES_MAX;
    ssize_t got = recv(p->fd, shared_ring_reserve(&l->channel.out, most), most, 0);
    if (got > 0) {
        shared_ring_commit(&l->channel.out, CHANNEL_DATA, p->id, (size_t)got);
        l->channel.has_put = true;
        p->may_send -= (uint32_t)got;
    } else if (got == 0 && (events & (EPOLLHUP | EPOLLERR)) == 0) {
        p->owes_end = p->has_told_end = true;
        owe(l, p);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        hang_up(l, p);
    }
}

static void on_event(struct bridge_lane *l, struct peer *p, uint32_t events) {
    if (p->pending_n > 0 && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
        flush(l, p);
    bool reads = p->may_send > 0 && !p->has_told_end && !p->closes;
    if (reads && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        read_socket(l, p, events);
    else if (!reads && !p->is_gone && (events & (EPOLLHUP | EPOLLERR)) != 0)
        hang_up(l, p);
    if (settle(l, p))
        end(l, p);
}

// Whether the storage has woken us. What the ring has no room for is reported again.
static bool dispatch(struct bridge_lane *l, const struct epoll_event *events, int count) {
    bool was_woken = false;
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == l)
            was_woken = true;
        else if (!channel_has_room(&l->channel))
            continue;
        else if (events[i].data.ptr == NULL)
            accept_all(l);
        else
            on_event(l, events[i].data.ptr, events[i].events);
    }
    return was_woken;
}

// While the ring has no room, no socket is looked at: the storage always takes what is there.
static bool wait_for_room(struct bridge_lane *l) {
    struct pollfd wake = {.fd = l->channel.wake_fd, .events = POLLIN};
    return poll(&wake, 1, -1) == 1;
}

void *bridge_lane_run(void *context) {
    struct bridge_lane *l = context;
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        bool is_full = !channel_has_room(&l->channel), was_woken = false;
        bool sleeps = channel_lie_down(&l->channel, is_full);
        if (is_full && sleeps)
            was_woken = wait_for_room(l);
        else
            was_woken =
                dispatch(l, events, epoll_wait(l->epoll, events, EVENTS_MAX, sleeps ? -1 : 0));
        channel_get_up(&l->channel, was_woken);
        take_records(l);
        pay_owed(l);
        channel_wake(&l->channel);
    }
}
