// One request at a time, from the log writer.
#include "log_ahead.h"
#include <unistd.h>

static void *make_files(void *context) {
    struct log_ahead *a = context;
    pthread_mutex_lock(&a->lock);
    while (!a->ending) {
        if (a->state != LOG_AHEAD_ASKED) {
            pthread_cond_wait(&a->changed, &a->lock);
            continue;
        }
        pthread_mutex_unlock(&a->lock);
        int fd = log_directory_make_zeros(a->directory, LOG_AHEAD_NAME, a->bytes);
        pthread_mutex_lock(&a->lock);
        a->fd = fd;
        a->state = LOG_AHEAD_MADE;
        pthread_cond_broadcast(&a->changed);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

bool log_ahead_start(struct log_ahead *a, const struct log_directory *d, uint64_t bytes) {
    *a = (struct log_ahead){.directory = d, .bytes = bytes, .fd = -1};
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    return pthread_create(&a->thread, NULL, make_files, a) == 0;
}

void log_ahead_stop(struct log_ahead *a) {
    pthread_mutex_lock(&a->lock);
    a->ending = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    if (a->state == LOG_AHEAD_MADE && a->fd >= 0) {
        close(a->fd);
        log_directory_remove(a->directory, LOG_AHEAD_NAME);
    }
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
}

void log_ahead_ask(struct log_ahead *a) {
    pthread_mutex_lock(&a->lock);
    a->state = LOG_AHEAD_ASKED;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

int log_ahead_take(struct log_ahead *a) {
    pthread_mutex_lock(&a->lock);
    while (a->state == LOG_AHEAD_ASKED)
        pthread_cond_wait(&a->changed, &a->lock);
    int fd = a->state == LOG_AHEAD_MADE ? a->fd : -1;
    a->state = LOG_AHEAD_IDLE;
    pthread_mutex_unlock(&a->lock);
    return fd;
}
