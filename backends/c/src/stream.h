// A connection's bytes where they come from the bridge through a channel and not from a socket:
// what connection.c and sending.c ask of a socket, and the round of the worker that has them.
#ifndef PAUSEMARK_STREAM_H
#define PAUSEMARK_STREAM_H
#include "channel.h"
#include "worker.h"

struct stream;
struct streams;

// Takes the channel over. NULL when memory is exhausted.
struct streams *streams_create(struct worker *w, struct channel *channel);
void streams_destroy(struct streams *all);
int streams_wake_fd(const struct streams *all);
// Before the worker's sleep: false when there is something to do at once.
bool streams_lie_down(struct streams *all);
// Behind everything else of a round: takes what came, gives events to connections, and wakes the
// bridge once for all that was put meanwhile.
void streams_turn(struct streams *all, bool was_woken);
// Whether any worker's has brought what the bridge cannot have sent; the process is to end then.
bool streams_have_failed(void);

// Like recv and sendmsg of a socket that does not block: -1 with errno, EAGAIN for later.
ssize_t stream_receive(struct stream *s, char *to, size_t n);
ssize_t stream_send(struct stream *s, const struct iovec *pieces, int count);
// The connection's `watched` has changed.
void stream_watch(struct stream *s);
void stream_shut_down(struct stream *s);
// The connection lets it go.
void stream_close(struct stream *s);
#endif
