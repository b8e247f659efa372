// Gets answers to the socket: the worker's output first, then the connection's large source.
#include "fastcgi.h"
#include "memory_file.h"
#include "stream.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define PIECES_MAX 16

void connection_watch(struct connection *c, uint32_t events) {
    if (c->watched == events)
        return;
    c->watched = events;
    if (c->stream != NULL) {
        stream_watch(c->stream);
        return;
    }
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(c->worker->epoll, EPOLL_CTL_MOD, c->fd, &event) != 0)
        c->dead = true;
}

static void source_done(struct connection *c) {
    object_release(c->source);
    free(c->text);
    c->source = NULL;
    c->text = NULL;
    c->source_at = c->source_end = 0;
}

uint64_t connection_gather_source(const struct connection *c, uint64_t end, struct iovec *pieces,
                                  int *count, int most) {
    uint64_t at = c->source_at;
    end = end < c->source_end ? end : c->source_end;
    while (at < end && *count < most) {
        struct text slice = c->source != NULL ? object_slice(c->source, at)
                                              : (struct text){c->text + at, (size_t)(end - at)};
        if (slice.n > end - at)
            slice.n = (size_t)(end - at);
        pieces[(*count)++] = (struct iovec){(void *)(uintptr_t)slice.p, slice.n};
        at += slice.n;
    }
    return at;
}

// Describes up to PIECES_MAX pieces of what is left to send.
static int gather(struct connection *c, const char *head, size_t head_n, struct iovec *pieces) {
    int count = 0;
    if (head_n > 0)
        pieces[count++] = (struct iovec){(void *)(uintptr_t)head, head_n};
    if (c->fastcgi != NULL)
        return fastcgi_gather(c, pieces, count, PIECES_MAX);
    connection_gather_source(c, c->source_end, pieces, &count, PIECES_MAX);
    return count;
}

static bool has_more(const struct connection *c) {
    return c->source_at < c->source_end || (c->fastcgi != NULL && fastcgi_owes(c));
}

static ssize_t send_pieces(struct connection *c, struct iovec *pieces, int count) {
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    if (c->stream != NULL)
        return stream_send(c->stream, pieces, count);
    return count == 1 ? send(c->fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL)
                      : sendmsg(c->fd, &message, MSG_NOSIGNAL);
}

// What is next of a source that lies in the memory file; nothing where the next bytes do not.
static struct text next_in_file(const struct connection *c) {
    if (c->source == NULL || c->source_at >= c->source_end || c->stream != NULL ||
        c->fastcgi != NULL)
        return (struct text){NULL, 0};
    struct text slice = object_slice(c->source, c->source_at);
    if (slice.n > c->source_end - c->source_at)
        slice.n = (size_t)(c->source_end - c->source_at);
    return memory_file_has(slice.p) ? slice : (struct text){NULL, 0};
}

// Sends in one call: a block of the memory file without a copy, once the head is gone; else what
// there is.
static ssize_t send_next(struct connection *c, const char *head, size_t head_n) {
    struct iovec pieces[PIECES_MAX];
    struct text in_file = next_in_file(c);
    if (in_file.n > 0)
        return head_n > 0 ? send(c->fd, head, head_n, MSG_NOSIGNAL | MSG_MORE)
                          : memory_file_send(c->fd, in_file.p, in_file.n);
    return send_pieces(c, pieces, gather(c, head, head_n, pieces));
}

// Sends until done or blocked. Returns how much of the head is gone.
static size_t push(struct connection *c, const char *head, size_t head_n) {
    size_t gone = 0;
    while (gone < head_n || has_more(c)) {
        ssize_t sent = send_next(c, head + gone, head_n - gone);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            c->dead = errno != EAGAIN && errno != EWOULDBLOCK;
            return gone;
        }
        size_t of_head = (size_t)sent < head_n - gone ? (size_t)sent : head_n - gone;
        gone += of_head;
        if (c->fastcgi != NULL)
            fastcgi_sent(c, (size_t)sent - of_head);
        else
            c->source_at += (size_t)sent - of_head;
    }
    return gone;
}

// Keeps what the socket did not take; the worker's output serves the next connection.
static void keep_rest(struct connection *c, const char *rest, size_t n) {
    c->pending = malloc(n);
    if (c->pending == NULL) {
        c->dead = true;
        return;
    }
    memcpy(c->pending, rest, n);
    c->pending_at = 0;
    c->pending_n = n;
}

bool connection_flush(struct connection *c) {
    struct worker *w = c->worker;
    if (c->pending != NULL) {
        c->pending_at += push(c, c->pending + c->pending_at, c->pending_n - c->pending_at);
        if (c->pending_at == c->pending_n) {
            free(c->pending);
            c->pending = NULL;
        }
    } else {
        size_t gone = push(c, w->output, w->output_n);
        if (gone < w->output_n && !c->dead)
            keep_rest(c, w->output + gone, w->output_n - gone);
        w->output_n = 0;
    }
    bool done = c->pending == NULL && !has_more(c);
    if (done && (c->source != NULL || c->text != NULL))
        source_done(c);
    if (!c->dead) {
        c->blocked = !done;
        connection_watch(c, done ? EPOLLIN : EPOLLOUT);
    }
    return done && !c->dead;
}
