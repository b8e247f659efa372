// The life of a connection: input to heads and bodies, answers out, limits on silence.
#include "commit.h"
#include "fastcgi.h"
#include "s3.h"
#include "stream.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct connection *begin(struct worker *w) {
    struct connection *c = w->free_connections;
    if (c != NULL)
        w->free_connections = (struct connection *)c->all.next;
    else
        c = malloc(sizeof *c);
    if (c == NULL)
        return NULL;
    memset(c, 0, sizeof *c);
    c->fastcgi = w->options->fastcgi ? fastcgi_create() : NULL;
    c->dead = w->options->fastcgi && c->fastcgi == NULL;
    c->worker = w;
    c->fd = -1;
    c->parser.data = c;
    request_parser_init(&c->parser);
    links_add(&w->all, &c->all);
    c->watched = EPOLLIN;
    return c;
}

struct connection *connection_accept(struct worker *w, int fd) {
    struct connection *c = begin(w);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (c == NULL) {
        close(fd);
        return NULL;
    }
    c->fd = fd;
    struct epoll_event event = {.events = c->watched, .data.ptr = c};
    if (c->dead || epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        connection_close(c);
    return c;
}

struct connection *connection_accept_stream(struct worker *w, struct stream *s) {
    struct connection *c = begin(w);
    if (c == NULL)
        return NULL;
    c->stream = s;
    if (!c->dead)
        return c;
    connection_close(c);
    return NULL;
}

// The structure itself stays until the round of events is over: an event may still name it.
void connection_close(struct connection *c) {
    struct worker *w = c->worker;
    if (c->fd < 0 && c->stream == NULL)
        return;
    if (c->stream != NULL)
        stream_close(c->stream);
    else
        close(c->fd);
    c->stream = NULL;
    c->fd = -1;
    c->dead = true;
    object_release(c->source);
    upload_close(w, c->upload);
    commit_abandon(w, c->commit);
    free(c->fastcgi);
    free(c->text);
    free(c->kept);
    free(c->pending);
    if (c->is_timed)
        links_remove(&c->timed);
    links_remove(&c->all);
    links_add(&w->dead, &c->all);
}

bool connection_is_idle(const struct connection *c) {
    return !c->in_body && !c->blocked && c->commit == NULL && c->kept_n == 0;
}

// On the list of those that owe us bytes exactly while they do; `progress` restarts the clock.
static void set_timed(struct connection *c, bool owes, bool progress) {
    if (c->is_timed && (!owes || progress)) {
        links_remove(&c->timed);
        c->is_timed = false;
    }
    if (owes && !c->is_timed) {
        c->progress_s = c->worker->now_s;
        links_add(&c->worker->timed, &c->timed);
        c->is_timed = true;
    }
}

void connection_sink(llhttp_t *parser, const char *bytes, size_t n) {
    struct connection *c = parser->data;
    if (c->upload != NULL)
        upload_feed(c->upload, (struct text){bytes, n});
}

void connection_refuse(struct connection *c, unsigned code) {
    c->closing = true;
    c->head_only = false;
    upload_close(c->worker, c->upload);
    c->upload = NULL;
    if (c->fastcgi == NULL || !fastcgi_refuse(c, (enum error_code)code))
        answer_error(c, (enum error_code)code, TEXT("/"));
}

// Reads past or stores body bytes. Returns how many were consumed.
static size_t take_body(struct connection *c, const char *input, size_t n) {
    llhttp_errno_t error = llhttp_execute(&c->parser, input, n);
    size_t used = n;
    if (error == HPE_PAUSED) {
        used = (size_t)(llhttp_get_error_pos(&c->parser) - input);
        llhttp_resume(&c->parser);
        c->in_body = false;
        if (c->upload != NULL)
            upload_finish(c);
    } else if (error != HPE_OK) {
        if (c->upload != NULL)
            connection_refuse(c, ERROR_BAD_REQUEST);
        c->closing = true;
    } else if (c->upload != NULL && c->upload->error == ERROR_ENTITY_TOO_LARGE) {
        connection_refuse(c, ERROR_ENTITY_TOO_LARGE); // an unbounded body: do not read on
    }
    return used;
}

// A method that is a token but none of llhttp's is a method that we do not allow.
static enum error_code why_bad(const llhttp_t *parser, const char *head) {
    size_t n = 0;
    while ((head[n] >= 'A' && head[n] <= 'Z') || head[n] == '-' || head[n] == '_')
        n++;
    bool unknown = llhttp_get_errno(parser) == HPE_INVALID_METHOD && n > 0 && head[n] == ' ';
    return unknown ? ERROR_METHOD_NOT_ALLOWED : ERROR_BAD_REQUEST;
}

void connection_take_request(struct connection *c, const char *head, size_t n) {
    struct request *r = &c->worker->request;
    c->head_only = false;
    if (!request_parse(r, &c->parser, head, n)) {
        connection_refuse(c, why_bad(&c->parser, head));
        return;
    }
    c->head_only = r->method == HTTP_HEAD;
    c->closing = !r->keep_alive;
    c->in_body = !r->message_done;
    s3_handle(c, r);
    if (c->upload == NULL)
        return;
    if (!c->in_body)
        upload_finish(c);
    else if (r->expect_continue && c->fastcgi == NULL) // a front answers it itself
        answer_put(c, TEXT("HTTP/1.1 100 Continue\r\n\r\n"));
}

// Returns how many bytes were consumed; 0 asks for more.
static size_t take_head(struct connection *c, const char *input, size_t n) {
    size_t head_n = 0, blank = 0;
    if (n >= 2 && input[0] == '\r' && input[1] == '\n')
        return 2; // RFC 9112 section 2.2: an empty line before a request is ignored
    if (n == 1 && input[0] == '\r')
        return blank;
    switch (request_scan(input, n, &head_n)) {
    case HEAD_COMPLETE:
        connection_take_request(c, input, head_n);
        return head_n;
    case HEAD_BAD:
        connection_refuse(c, ERROR_BAD_REQUEST);
        return n;
    case HEAD_TOO_LARGE:
        connection_refuse(c, ERROR_HEAD_TOO_LARGE);
        return n;
    case HEAD_PARTIAL:
        break;
    }
    return 0;
}

// After the last answer: say that nothing more comes, then read what the peer still sends, so that
// a reset does not destroy the answer on its way.
static void linger(struct connection *c) {
    if (c->stream != NULL && !c->eof)
        stream_shut_down(c->stream);
    else if (c->eof || shutdown(c->fd, SHUT_WR) != 0) {
        connection_close(c);
        return;
    }
    c->lingering = true;
    set_timed(c, true, true);
}

// Works through the input until it is used up, incomplete, waits for the log, or the output blocks.
static size_t consume_http(struct connection *c, const char *input, size_t n) {
    struct worker *w = c->worker;
    size_t at = 0;
    while (at < n && !c->dead && c->commit == NULL) {
        bool was_closing = c->closing && !c->in_body;
        if (was_closing || (c->closing && c->upload == NULL))
            return n;
        size_t used =
            c->in_body ? take_body(c, input + at, n - at) : take_head(c, input + at, n - at);
        at += used;
        bool large = c->source != NULL || c->text != NULL;
        if ((large || w->output_n > OUTPUT_BYTES - ANSWER_BYTES_MAX) && !connection_flush(c))
            return at;
        if (used == 0)
            return at;
    }
    return at;
}

static void keep_input(struct connection *c, const char *rest, size_t n) {
    char *kept = n == 0 ? NULL : malloc(n);
    if (kept != NULL)
        memcpy(kept, rest, n);
    free(c->kept);
    c->kept = kept;
    c->kept_n = kept == NULL ? 0 : n;
    c->dead = c->dead || (n > 0 && kept == NULL);
}

static void process(struct connection *c, size_t n, bool progress) {
    struct worker *w = c->worker;
    size_t at = c->fastcgi != NULL ? fastcgi_consume(c, w->input, n) : consume_http(c, w->input, n);
    if (!c->dead && (w->output_n > 0))
        connection_flush(c);
    if (!c->dead)
        keep_input(c, w->input + at, n - at);
    if (c->dead) {
        w->output_n = 0;
        connection_close(c);
        return;
    }
    if (c->blocked || c->commit != NULL) {
        set_timed(c, false, false);
        return;
    }
    // With the answer out, a body that still comes is nobody's: close rather than read it.
    if (c->closing && c->upload == NULL) {
        linger(c);
        return;
    }
    bool owes = c->in_body || c->kept_n > 0;
    if (c->eof || (w->stopping && !owes)) {
        connection_close(c);
        return;
    }
    set_timed(c, owes, progress);
}

static void on_readable(struct connection *c) {
    struct worker *w = c->worker;
    if (c->kept_n > 0)
        memcpy(w->input, c->kept, c->kept_n);
    char *to = w->input + c->kept_n;
    ssize_t got = c->stream != NULL ? stream_receive(c->stream, to, INPUT_BYTES)
                                    : recv(c->fd, to, INPUT_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0 || c->lingering) {
        if (got <= 0)
            connection_close(c); // a body that stops short is not stored
        return;
    }
    process(c, c->kept_n + (size_t)got, true);
}

static void process_kept(struct connection *c) {
    size_t kept_n = c->kept_n;
    if (kept_n > 0)
        memcpy(c->worker->input, c->kept, kept_n);
    process(c, kept_n, true);
}

// Answers, or lets the request go on; then the requests that waited behind it have their turn.
static void resume(struct connection *c) {
    c->committed = false;
    if (c->fastcgi != NULL)
        fastcgi_begin_answer(c);
    commit_go_on(c, c->commit);
    if (c->fastcgi != NULL)
        fastcgi_end_answer(c);
    if (c->commit != NULL)
        return;
    bool large = c->source != NULL || c->text != NULL || c->fastcgi != NULL;
    if (!large || connection_flush(c))
        process_kept(c);
    else if (c->dead)
        connection_close(c);
}

void connection_committed(struct connection *c) {
    c->committed = true;
    if (!c->blocked)
        resume(c);
}

static void on_writable(struct connection *c) {
    if (!connection_flush(c)) {
        if (c->dead)
            connection_close(c);
        return;
    }
    if (c->committed)
        resume(c);
    else if (c->commit == NULL)
        process_kept(c);
}

// More input while it waits for the log stays in the kernel. Most clients send none: only those
// that do cost a call to look away, and one to look again.
static void on_event_while_waiting(struct connection *c, uint32_t events) {
    if ((events & (EPOLLHUP | EPOLLERR)) != 0)
        connection_close(c);
    else
        connection_watch(c, 0);
}

void connection_event(struct connection *c, uint32_t events) {
    if (c->dead)
        return;
    if (c->blocked && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
        on_writable(c);
        return;
    }
    if (c->commit != NULL) {
        on_event_while_waiting(c, events);
        return;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        on_readable(c);
}
