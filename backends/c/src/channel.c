// Records in and out, and a system call for a wake only where the other side sleeps.
#include "channel.h"
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool channel_create(int fds[CHANNEL_FDS]) {
    fds[CHANNEL_IN] = shared_ring_create(CHANNEL_RING_BYTES);
    fds[CHANNEL_OUT] = shared_ring_create(CHANNEL_RING_BYTES);
    fds[CHANNEL_WAKE] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fds[CHANNEL_PEER] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool good = true;
    for (int i = 0; i < CHANNEL_FDS; i++)
        good = good && fds[i] >= 0;
    return good;
}

const char *channel_attach(struct channel *c, const int fds[CHANNEL_FDS]) {
    *c = (struct channel){.wake_fd = fds[CHANNEL_WAKE], .peer_fd = fds[CHANNEL_PEER]};
    const char *reason = shared_ring_attach(&c->in, fds[CHANNEL_IN]);
    if (reason == NULL)
        reason = shared_ring_attach(&c->out, fds[CHANNEL_OUT]);
    close(fds[CHANNEL_IN]);
    close(fds[CHANNEL_OUT]);
    return reason;
}

void channel_detach(struct channel *c) {
    shared_ring_detach(&c->in);
    shared_ring_detach(&c->out);
    close(c->wake_fd);
    close(c->peer_fd);
}

bool channel_put(struct channel *c, enum channel_kind kind, uint32_t id, const void *bytes,
                 size_t n) {
    char *to = shared_ring_reserve(&c->out, n);
    if (to == NULL)
        return false;
    if (n > 0)
        memcpy(to, bytes, n);
    shared_ring_commit(&c->out, kind, id, n);
    c->has_put = true;
    return true;
}

enum shared_ring_state channel_next(struct channel *c, struct shared_record *record) {
    return shared_ring_front(&c->in, record);
}

void channel_pop(struct channel *c) {
    shared_ring_pop(&c->in);
    c->has_taken = true;
}

bool channel_has_room(struct channel *c) {
    return shared_ring_reserve(&c->out, SHARED_RING_RECORD_BYTES_MAX) != NULL;
}

void channel_wake(struct channel *c) {
    bool is_due = c->has_put && shared_ring_ask(&c->out.memory->consumer_sleeps);
    if (c->has_taken && shared_ring_ask(&c->in.memory->producer_waits))
        is_due = true;
    c->has_put = c->has_taken = false;
    if (is_due)
        (void)eventfd_write(c->peer_fd, 1); // can only fail when it is ringing already
}

bool channel_lie_down(struct channel *c, bool wants_room) {
    struct shared_record record;
    shared_ring_say(&c->in.memory->consumer_sleeps, true);
    if (wants_room)
        shared_ring_say(&c->out.memory->producer_waits, true);
    return shared_ring_front(&c->in, &record) == SHARED_RING_EMPTY &&
           (!wants_room || !channel_has_room(c));
}

void channel_get_up(struct channel *c, bool was_woken) {
    eventfd_t wakes;
    if (was_woken)
        (void)eventfd_read(c->wake_fd, &wakes);
    shared_ring_say(&c->in.memory->consumer_sleeps, false);
}
