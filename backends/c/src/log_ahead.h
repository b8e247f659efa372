// A file of zeros made ahead on a thread of its own, because a device takes its time for it.
#ifndef PAUSEMARK_LOG_AHEAD_H
#define PAUSEMARK_LOG_AHEAD_H
#include "log_segment.h"
#include <pthread.h>

#define LOG_AHEAD_NAME "segment-ahead.log.new"

enum log_ahead_state { LOG_AHEAD_IDLE, LOG_AHEAD_ASKED, LOG_AHEAD_MADE };

// All but `state`, `ending` and `fd` stay as they were at the start; those are behind the lock.
struct log_ahead {
    const struct log_directory *directory;
    uint64_t bytes;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum log_ahead_state state;
    bool ending;
    int fd; // what was made; less than 0: it could not be
};

// False when there is no thread for it.
bool log_ahead_start(struct log_ahead *a, const struct log_directory *d, uint64_t bytes);
// Ends the thread, and removes what nobody took.
void log_ahead_stop(struct log_ahead *a);
void log_ahead_ask(struct log_ahead *a);
// The file that was asked for, also when it is still being made; less than 0: there is none.
int log_ahead_take(struct log_ahead *a);
#endif
