// nginx before our FastCGI: a folder with its configuration and our sockets, its start and its end.
#ifndef PAUSEMARK_FRONT_H
#define PAUSEMARK_FRONT_H
#include "worker.h"
#include <limits.h>
#include <stdio.h>
#include <sys/types.h>

// Where nginx sends what it refuses itself, so that the answer is ours (fastcgi_head.c). No bucket
// can have this name.
#define FRONT_REFUSED "/_front/"

struct front {
    const struct options *options;
    pid_t pid;  // 0 while it does not run; the leader of a process group of its own
    int folder; // descriptor of `path`, or -1
    char path[PATH_MAX], program[PATH_MAX];
};

// Finds nginx, makes the folder and in it one listening socket a thread. False with one line on
// stderr; front_close is due either way.
bool front_open(struct front *f, const struct options *o, int *listeners);
// From the main thread, with whose end nginx ends too. False with a line on stderr.
bool front_start(struct front *f);
// Whether nginx has ended by itself; says so on stderr.
bool front_has_ended(struct front *f);
// What is in flight is finished, but not for longer than the contract's end allows.
void front_stop(struct front *f);
void front_close(struct front *f);

// front_config.c: paths are relative to the folder, which is nginx's working directory.
bool front_write_config(const struct options *o, FILE *to);
#endif
