// The event loop: accept, serve, keep the clock, end what is silent too long.
#include "auth.h"
#include "commit.h"
#include "stream.h"
#include "upload.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define STOP_MS 1500 // of the 2 s that the contract gives for what is in flight

static void links_init(struct links *list) {
    list->next = list->previous = list;
}

// `who` tells what is readable: NULL the listener, the worker its wake, its gate's place the log,
// that of its streams the bridge.
static bool watch(struct worker *w, int fd, void *who) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool watch_source(struct worker *w, const struct worker_source *source) {
    w->listener = source->listener;
    if (source->channel == NULL)
        return watch(w, w->listener, NULL);
    w->streams = streams_create(w, source->channel);
    return w->streams != NULL && watch(w, streams_wake_fd(w->streams), &w->streams);
}

struct worker *worker_create(const struct options *options, unsigned index,
                             const struct worker_source *source, int wake, struct log_gate *gate) {
    struct worker *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    links_init(&w->all);
    links_init(&w->timed);
    links_init(&w->dead);
    w->options = options;
    w->index = index;
    w->wake = wake;
    w->gate = gate;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    w->auth = options->verify ? auth_create(options) : NULL;
    if ((options->verify && w->auth == NULL) || w->epoll < 0 || !watch_source(w, source) ||
        !watch(w, wake, w) || (gate != NULL && !watch(w, gate->wake_fd, &w->gate))) {
        worker_destroy(w);
        return NULL;
    }
    return w;
}

void worker_free_dead(struct worker *w) {
    while (w->dead.next != &w->dead) {
        struct connection *c = (struct connection *)w->dead.next; // `all` is its first member
        links_remove(&c->all);
        c->all.next = (struct links *)w->free_connections;
        w->free_connections = c;
    }
}

void worker_destroy(struct worker *w) {
    while (w->all.next != &w->all)
        connection_close((struct connection *)w->all.next);
    if (w->gate != NULL)
        commit_take_back(w); // of those that a stop did not wait for, or nobody
    worker_free_dead(w);
    while (w->free_connections != NULL) {
        struct connection *c = w->free_connections;
        w->free_connections = (struct connection *)c->all.next;
        free(c);
    }
    commit_free_all(w);
    upload_free_all(w);
    if (w->streams != NULL)
        streams_destroy(w->streams);
    auth_destroy(w->auth);
    if (w->spare_fd >= 0)
        close(w->spare_fd);
    if (w->epoll >= 0)
        close(w->epoll);
    free(w);
}

static void tick(struct worker *w) {
    struct timespec wall, steady;
    clock_gettime(CLOCK_REALTIME_COARSE, &wall);
    clock_gettime(CLOCK_MONOTONIC_COARSE, &steady);
    w->now_s = steady.tv_sec;
    if (wall.tv_sec == w->wall_s)
        return;
    w->wall_s = wall.tv_sec;
    text_put_http_date(w->date, w->wall_s);
}

// Out of descriptors: take the connection with the spare one and end it, or the listener would stay
// readable and the loop spin. False when nobody waits, which accept4 does not tell then.
static bool shed(struct worker *w) {
    if (w->spare_fd < 0)
        return false;
    close(w->spare_fd);
    int fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    w->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        fprintf(stderr, "pausemark-c: connection refused: out of file descriptors\n");
    return fd >= 0;
}

static void accept_all(struct worker *w) {
    for (int i = 0; i < EVENTS_MAX; i++) {
        int fd = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            connection_accept(w, fd);
        else if (errno == EMFILE || errno == ENFILE) {
            if (!shed(w))
                return;
        } else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

#define FROM_TIMED(link) ((struct connection *)((char *)(link)-offsetof(struct connection, timed)))

// The list is in the order of last progress, but those that linger have less patience.
static void end_silent(struct worker *w) {
    for (struct links *link = w->timed.next, *next; link != &w->timed; link = next) {
        struct connection *c = FROM_TIMED(link);
        next = link->next;
        int64_t silent_s = w->now_s - c->progress_s;
        if (silent_s <= LINGER_S)
            return;
        if (c->lingering || silent_s >= STALL_S)
            connection_close(c);
    }
}

static void stop(struct worker *w) {
    w->stopping = true;
    accept_all(w); // whoever is in the backlog has connected and may have asked
    epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->listener, NULL);
    epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->wake, NULL);
}

static void close_idle(struct worker *w) {
    for (struct links *link = w->all.next, *next; link != &w->all; link = next) {
        struct connection *c = (struct connection *)link;
        next = link->next;
        if (connection_is_idle(c))
            connection_close(c);
    }
}

// Whether the bridge has woken us.
static bool dispatch(struct worker *w, const struct epoll_event *events, int count) {
    bool was_woken = false;
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == NULL && !w->stopping)
            accept_all(w);
        else if (events[i].data.ptr == w)
            stop(w);
        else if (events[i].data.ptr == &w->gate)
            commit_take_back(w);
        else if (events[i].data.ptr == &w->streams)
            was_woken = true;
        else if (events[i].data.ptr != NULL)
            connection_event(events[i].data.ptr, events[i].events);
    }
    return was_woken;
}

static int64_t steady_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void *worker_run(void *context) {
    struct worker *w = context;
    struct epoll_event events[EVENTS_MAX];
    int64_t deadline_ms = 0;
    if (getrandom(&w->request_seed, sizeof w->request_seed, GRND_NONBLOCK) < 0)
        w->request_seed = (uint64_t)steady_ms();
    tick(w);
    while (!w->stopping || (w->all.next != &w->all && steady_ms() < deadline_ms)) {
        int wait_ms = w->stopping ? 50 : w->timed.next == &w->timed ? -1 : 1000;
        if (w->streams != NULL && !streams_lie_down(w->streams))
            wait_ms = 0;
        int count = epoll_wait(w->epoll, events, EVENTS_MAX, wait_ms);
        bool was_stopping = w->stopping;
        tick(w);
        bool was_woken = dispatch(w, events, count);
        end_silent(w);
        if (w->streams != NULL)
            streams_turn(w->streams, was_woken);
        if (w->stopping) {
            if (!was_stopping)
                deadline_ms = steady_ms() + STOP_MS;
            else
                close_idle(w); // one round after the stop: what was on its way has been read
        }
        if (w->gate != NULL)
            log_gate_hand_over(w->gate);
        worker_free_dead(w);
    }
    return NULL;
}
