// TCP sockets on the address and port of the command line.
#ifndef PAUSEMARK_LISTEN_H
#define PAUSEMARK_LISTEN_H
#include "worker.h"

#define LISTEN_BACKLOG 4096

// Whether the port can be had; false with errno. Asked before a front binds it, too.
bool listen_can(const struct options *o);
// One listener a thread. False with errno.
bool listen_on_port(const struct options *o, int *listeners);
#endif
