// Two shared rings, one each way, and the wakes of both sides: the way between the bridge, which
// has the FastCGI sockets, and a worker of the storage process. It carries many byte streams.
#ifndef PAUSEMARK_CHANNEL_H
#define PAUSEMARK_CHANNEL_H
#include "shared_ring.h"

#define CHANNEL_RING_BYTES ((uint64_t)1 << 20)
#define CHANNEL_STREAMS_MAX 32768 // what nginx has at most: its connections, front_config.c
// What one side may have sent of one stream before the other has passed it on: so neither holds
// more than this for who does not read, and always takes what the ring brings.
#define CHANNEL_WINDOW_BYTES ((uint32_t)131072)

// A stream begins with OPEN from the bridge, which chose its id, and ends with CLOSE from the
// storage: only then the id is free, and what is still on its way to it means nothing.
enum channel_kind {
    CHANNEL_OPEN = 1,
    CHANNEL_DATA,
    CHANNEL_CREDIT,  // uint32_t: bytes that were passed on
    CHANNEL_END,     // no more data from this side
    CHANNEL_HANG_UP, // the bridge's: the socket takes nothing either
    CHANNEL_CLOSE,
};

enum { CHANNEL_IN, CHANNEL_OUT, CHANNEL_WAKE, CHANNEL_PEER, CHANNEL_FDS };

struct channel {
    struct shared_ring in, out;
    int wake_fd, peer_fd; // eventfds: ours and the other side's
    bool has_taken, has_put;
};

// Rings and eventfds, as the storage sees them; -1 in each that is not open. False with errno.
bool channel_create(int fds[CHANNEL_FDS]);
// Takes the eventfds over and closes the rings' descriptors. NULL, or why it is refused.
const char *channel_attach(struct channel *c, const int fds[CHANNEL_FDS]);
void channel_detach(struct channel *c);

// False when the ring is full.
bool channel_put(struct channel *c, enum channel_kind kind, uint32_t id, const void *bytes,
                 size_t n);
enum shared_ring_state channel_next(struct channel *c, struct shared_record *record);
void channel_pop(struct channel *c);
// Whether a record of any size fits.
bool channel_has_room(struct channel *c);
// Once a round, behind all that was put and popped: wakes the other side if it sleeps.
void channel_wake(struct channel *c);
// Before and behind a sleep on wake_fd. False when there is something to do at once.
bool channel_lie_down(struct channel *c, bool wants_room);
void channel_get_up(struct channel *c, bool was_woken);
#endif
