// One thread: its listener, its epoll set, its connections and its scratch buffers. Only the store
// is shared between workers.
#ifndef PAUSEMARK_WORKER_H
#define PAUSEMARK_WORKER_H
#include "log_writer.h"
#include "request.h"
#include <stdatomic.h>
#include <sys/uio.h>

#define INPUT_BYTES ((size_t)65536)
#define OUTPUT_BYTES ((size_t)262144)
#define INLINE_BODY_BYTES_MAX ((size_t)28672) // with its head it fits a FastCGI record
// Room that one answer's head and inline body never exceed: what was kept of one head, what the
// query of another overrides, and our own headers.
#define ANSWER_BYTES_MAX (2 * (size_t)HEAD_BYTES_MAX + INLINE_BODY_BYTES_MAX + 2048)
#define STALL_S 30
#define LINGER_S 2

#define CREDENTIALS_MAX 16
#define CREDENTIAL_BYTES_MAX 128 // of an id, and of a secret

struct credential {
    struct text id, secret;
};

struct options {
    const char *address;
    uint16_t port;
    unsigned threads;
    bool use_pool, use_huge_pages, use_sendfile;
    bool verify; // signatures
    size_t credential_count;
    struct credential credentials[CREDENTIALS_MAX]; // views of the command line
    uint64_t object_bytes_max, store_bytes_max;
    bool fastcgi;               // in place of HTTP
    bool front;                 // nginx before it, on our port (`fastcgi` only)
    bool bridge;                // another process has the sockets (`fastcgi` only)
    struct log_settings log;    // in ram only its mode counts
    const char *data_directory; // of the log
};

struct auth;
struct channel;
struct commit;
struct fastcgi;
struct stream;
struct streams;
struct upload;

struct links {
    struct links *previous, *next;
};

struct connection {
    struct links all;   // every connection of the worker
    struct links timed; // those that owe us bytes, the longest silent first
    llhttp_t parser;
    struct worker *worker;
    int fd;                // -1 once it is closed, and where there is a stream
    struct stream *stream; // its bytes where they come by shared memory; NULL where it has a socket
    bool in_body, closing, lingering, blocked, dead, head_only, is_timed, eof;
    bool committed;   // the log is done, and the answer waits for the output to clear
    uint32_t watched; // what epoll reports beside errors
    int64_t progress_s;
    char *kept; // input that is not consumed yet, owned
    size_t kept_n;
    char *pending; // output that the socket did not take, owned
    size_t pending_at, pending_n;
    struct object *source; // the object that is being sent, one reference
    char *text;            // or a generated document, owned
    uint64_t source_at, source_end;
    struct upload *upload;   // the request that is reading its body, or NULL
    struct commit *commit;   // the request that waits for the log, or NULL
    struct fastcgi *fastcgi; // of one that speaks FastCGI, owned; NULL where it is HTTP
};

struct worker {
    struct links all, timed;
    const struct options *options;
    int epoll, listener, wake, spare_fd;
    unsigned index;
    bool stopping;
    int64_t now_s, wall_s;
    char date[HTTP_DATE_BYTES];
    uint64_t request_count, request_seed;
    char request_id[16];
    struct streams *streams; // NULL where connections are sockets
    struct auth *auth;       // NULL when signatures are not verified
    struct log_gate *gate;   // to the log writer; NULL in ram
    struct upload *free_uploads;
    struct commit *free_commits;
    struct connection *free_connections;
    struct links dead; // connections to free once this round of events is over
    struct request request;
    size_t output_n;
    char output[OUTPUT_BYTES];
    char input[2 * INPUT_BYTES];
};

// Runs until `wake` becomes readable and what is in flight is done. Returns NULL.
void *worker_run(void *worker);
// Where its connections come from: a listener, or a channel that it takes over.
struct worker_source {
    int listener;
    struct channel *channel; // NULL: there is a listener
};
// Allocates; NULL with a line on stderr when the system refuses.
struct worker *worker_create(const struct options *options, unsigned index,
                             const struct worker_source *source, int wake, struct log_gate *gate);
// Frees what was closed in this round of events.
void worker_free_dead(struct worker *w);
// The log writer has ended by now.
void worker_destroy(struct worker *w);

// connection.c
// Takes the socket over; NULL when memory is exhausted.
struct connection *connection_accept(struct worker *w, int fd);
// The same for a stream; not taken over when NULL.
struct connection *connection_accept_stream(struct worker *w, struct stream *s);
void connection_event(struct connection *c, uint32_t events);
void connection_close(struct connection *c);
bool connection_is_idle(const struct connection *c);
void connection_sink(llhttp_t *parser, const char *bytes, size_t n);
// What the connection waited for is done.
void connection_committed(struct connection *c);
// For fastcgi.c: a whole head, and a refusal (an enum error_code) in place of a request's answer.
void connection_take_request(struct connection *c, const char *head, size_t n);
void connection_refuse(struct connection *c, unsigned code);
// sending.c: which events, beside errors, epoll reports.
void connection_watch(struct connection *c, uint32_t events);
// Sends what is in the worker's output and the connection's source. False when it
// blocked or the connection died.
bool connection_flush(struct connection *c);
// Adds pieces of the source up to position `end` while there are fewer than `most`; returns the
// position behind them.
uint64_t connection_gather_source(const struct connection *c, uint64_t end, struct iovec *pieces,
                                  int *count, int most);

static inline void links_add(struct links *list, struct links *item) {
    item->previous = list->previous;
    item->next = list;
    list->previous->next = item;
    list->previous = item;
}
static inline void links_remove(struct links *item) {
    item->previous->next = item->next;
    item->next->previous = item->previous;
}
#endif
