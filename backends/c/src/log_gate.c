// The eventfds of both directions, rung once for as many writes as possible.
#include "log_gate.h"
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool log_bell_open(struct log_bell *b) {
    atomic_init(&b->sleeping, false);
    b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return b->fd >= 0;
}

void log_bell_close(struct log_bell *b) {
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
}

void log_bell_ring(struct log_bell *b) {
    if (atomic_exchange_explicit(&b->sleeping, false, memory_order_acq_rel))
        (void)eventfd_write(b->fd, 1); // can only fail when it is ringing already
}

void log_bell_lie_down(struct log_bell *b) {
    atomic_exchange_explicit(&b->sleeping, true, memory_order_acq_rel);
}

void log_bell_get_up(struct log_bell *b) {
    atomic_exchange_explicit(&b->sleeping, false, memory_order_acq_rel);
}

void log_bell_sleep(struct log_bell *b, int timeout_ms) {
    struct pollfd wait = {.fd = b->fd, .events = POLLIN};
    eventfd_t rings;
    poll(&wait, 1, timeout_ms);
    (void)eventfd_read(b->fd, &rings);
    log_bell_get_up(b);
}

bool log_gate_open(struct log_gate *g, unsigned worker, struct log_bell *bell) {
    memset(g, 0, sizeof *g); // two empty rings
    g->worker = worker;
    g->bell = bell;
    g->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return g->wake_fd >= 0;
}

void log_gate_close(struct log_gate *g) {
    if (g->wake_fd >= 0)
        close(g->wake_fd);
    g->wake_fd = -1;
}

bool log_gate_submit(struct log_gate *g, struct write *w) {
    w->worker = g->worker;
    if (g->in_flight == RING_ITEMS_MAX || !ring_push(&g->asked, w))
        return false;
    g->in_flight++;
    g->owes_ring = true;
    return true;
}

void log_gate_hand_over(struct log_gate *g) {
    if (g->owes_ring)
        log_bell_ring(g->bell);
    g->owes_ring = false;
}

void log_gate_begin(struct log_gate *g) {
    eventfd_t wakes;
    (void)eventfd_read(g->wake_fd, &wakes);
    atomic_exchange_explicit(&g->woken, false, memory_order_acq_rel);
}

struct write *log_gate_next(struct log_gate *g) {
    struct write *w = ring_front(&g->done);
    if (w == NULL)
        return NULL;
    ring_pop(&g->done);
    g->in_flight--;
    return w;
}

struct write *log_gate_front(struct log_gate *g) {
    return ring_front(&g->asked);
}

void log_gate_pop(struct log_gate *g) {
    ring_pop(&g->asked);
}

void log_gate_give_back(struct log_gate *g, struct write *w) {
    (void)ring_push(&g->done, w); // never full: see log_gate_submit
    g->owes_wake = true;
}

void log_gate_wake(struct log_gate *g) {
    bool owes = g->owes_wake;
    g->owes_wake = false;
    if (owes && !atomic_exchange_explicit(&g->woken, true, memory_order_acq_rel))
        (void)eventfd_write(g->wake_fd, 1);
}
