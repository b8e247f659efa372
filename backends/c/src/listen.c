// TCP sockets on the address and port of the command line.
#include "listen.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static socklen_t fill_address(const struct options *o, struct sockaddr_storage *to) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
    memset(to, 0, sizeof *to);
    if (inet_pton(AF_INET, o->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(o->port);
        return sizeof *v4;
    }
    inet_pton(AF_INET6, o->address, &v6->sin6_addr);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(o->port);
    return sizeof *v6;
}

static int bind_socket(const struct options *o, bool shared) {
    struct sockaddr_storage address;
    socklen_t n = fill_address(o, &address);
    int on = 1, fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, n) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

// A bind without SO_REUSEPORT finds out whether the port is taken, which sharing would hide when
// the other process is of the same user.
static bool port_is_free(const struct options *o) {
    int probe = bind_socket(o, false);
    if (probe < 0)
        return false;
    bool free_port = listen(probe, 1) == 0;
    int error = errno;
    close(probe);
    errno = error;
    return free_port;
}

// A predecessor that was killed takes its nginx along, but not at once.
bool listen_can(const struct options *o) {
    const struct timespec pause = {.tv_nsec = 20000000};
    for (int tries = 0; tries < 50; tries++) {
        if (port_is_free(o))
            return true;
        if (!o->front || errno != EADDRINUSE)
            return false;
        nanosleep(&pause, NULL);
    }
    errno = EADDRINUSE;
    return false;
}

bool listen_on_port(const struct options *o, int *listeners) {
    bool free_port = true;
    for (unsigned i = 0; free_port && i < o->threads; i++) {
        listeners[i] = bind_socket(o, o->threads > 1);
        free_port = listeners[i] >= 0 && listen(listeners[i], LISTEN_BACKLOG) == 0;
    }
    return free_port;
}
