// The bridge's process: takes its lanes from the storage, runs a thread for each, and ends with it.
#include "bridge.h"
#include "crc32c.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONTROL STDIN_FILENO

static bool refuse(const char *what) {
    fprintf(stderr, "error: bridge: %s\n", what);
    return false;
}

// `*count` is how many there are in all.
static bool start_lane(unsigned index, unsigned *count) {
    struct bridge_hello hello;
    struct channel channel;
    pthread_t thread;
    int fds[BRIDGE_FDS];
    if (!bridge_receive(CONTROL, &hello, fds) || hello.index != index)
        return refuse("the storage process did not say what to do");
    if (hello.version != SHARED_RING_VERSION)
        return refuse("the storage process has another version");
    *count = hello.count;
    const char *reason = channel_attach(&channel, fds);
    if (reason != NULL) {
        fprintf(stderr, "error: bridge: the shared ring is refused: %s\n", reason);
        return false;
    }
    struct bridge_lane *lane = bridge_lane_create(fds[BRIDGE_LISTENER], &channel);
    return (lane != NULL && pthread_create(&thread, NULL, bridge_lane_run, lane) == 0) ||
           refuse("a thread's set-up failed");
}

int bridge_main(void) {
    char word;
    unsigned count = 1;
    crc32c_start();
    prctl(PR_SET_NAME, "pausemark-front");
    for (unsigned i = 0; i < count; i++) {
        if (!start_lane(i, &count))
            _exit(EXIT_FAILURE);
    }
    ssize_t got = recv(CONTROL, &word, 1, 0);
    if (got <= 0)
        refuse("the storage process has ended by itself");
    _exit(got <= 0 ? EXIT_FAILURE : EXIT_SUCCESS); // the lanes have nothing that outlives them
}
