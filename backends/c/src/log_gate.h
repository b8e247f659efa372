// Between the workers and the log writer: two rings a worker, and who wakes whom.
#ifndef PAUSEMARK_LOG_GATE_H
#define PAUSEMARK_LOG_GATE_H
#include "ring.h"
#include "write.h"

// The writer's sleep; a ring is a system call only while it sleeps.
struct log_bell {
    int fd; // an eventfd
    // Exchanged on both sides, so that one of the two always sees what the other did before.
    _Alignas(RING_LINE_BYTES) atomic_bool sleeping;
};
bool log_bell_open(struct log_bell *b);
void log_bell_close(struct log_bell *b);
void log_bell_ring(struct log_bell *b);
// The one sleeper says so, looks once more for work, and then sleeps or takes it back.
void log_bell_lie_down(struct log_bell *b);
void log_bell_get_up(struct log_bell *b);
void log_bell_sleep(struct log_bell *b, int timeout_ms);

// A place is taken from log_gate_submit until log_gate_next hands the write back, so neither ring
// can overflow.
struct log_gate {
    unsigned worker;
    int wake_fd; // an eventfd: readable when there are writes to take back
    struct log_bell *bell;
    size_t in_flight;  // the worker's
    bool owes_ring;    // the worker's
    bool owes_wake;    // the writer's
    atomic_bool woken; // a wake is on its way
    struct ring asked, done;
};
bool log_gate_open(struct log_gate *g, unsigned worker, struct log_bell *bell);
void log_gate_close(struct log_gate *g);

// The worker's. False when the queue is full. From true on the write is the writer's, outcome and
// all, until log_gate_next returns it; but only log_gate_hand_over wakes the writer.
bool log_gate_submit(struct log_gate *g, struct write *w);
// The worker's, once a round: a writer on the same processor would else take it at every write, and
// each write would be a batch of its own.
void log_gate_hand_over(struct log_gate *g);
// The worker's, when wake_fd is readable and before it calls log_gate_next.
void log_gate_begin(struct log_gate *g);
// The worker's: the next write that is done, or NULL.
struct write *log_gate_next(struct log_gate *g);

// The writer's: the oldest that was asked for, or NULL; it stays until log_gate_pop.
struct write *log_gate_front(struct log_gate *g);
void log_gate_pop(struct log_gate *g);
void log_gate_give_back(struct log_gate *g, struct write *w);
// The writer's, once a batch.
void log_gate_wake(struct log_gate *g);
#endif
