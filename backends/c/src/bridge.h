// The process that has the FastCGI sockets where the storage is another one (--storage=process): it
// passes bytes between them and the rings, and knows nothing of what they mean.
#ifndef PAUSEMARK_BRIDGE_H
#define PAUSEMARK_BRIDGE_H
#include "channel.h"
#include <sys/types.h>

#define BRIDGE_ARGUMENT "--bridge" // and the control socket as descriptor 0

struct bridge {
    pid_t pid;   // 0 while it does not run
    int control; // a socket whose other end the bridge has: either sees the other's death
};

// Starts this program once more and gives it the listeners and the other ends of `channels`, which
// it fills, one a listener. False with a line on stderr.
bool bridge_start(struct bridge *b, unsigned count, const int *listeners, struct channel *channels);
// Whether it has ended by itself; says so on stderr.
bool bridge_has_ended(struct bridge *b);
void bridge_stop(struct bridge *b);

// bridge_main.c: the process. Returns its exit code.
int bridge_main(void);
// bridge_lane.c: one thread of it, one listener and one channel. Does not return.
struct bridge_lane;
struct bridge_lane *bridge_lane_create(int listener, const struct channel *channel);
void *bridge_lane_run(void *lane);

// bridge.c: what passes through the control socket, a message a lane.
enum { BRIDGE_LISTENER = CHANNEL_FDS, BRIDGE_FDS };
struct bridge_hello {
    uint32_t version, index, count;
};
bool bridge_send(int control, const struct bridge_hello *hello, const int fds[BRIDGE_FDS]);
bool bridge_receive(int control, struct bridge_hello *hello, int fds[BRIDGE_FDS]);
#endif
