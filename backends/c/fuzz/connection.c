// What any bytes do to a connection: parser, handlers and answers, in process.
#include "checksum.h"
#include "sha256.h"
#include "slab.h"
#include "upload.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef FRONT
#define FRONT false
#endif
static struct options options = {.threads = 1,
                                 .use_pool = true,
                                 .fastcgi = FRONT,
                                 .front = FRONT,
                                 .object_bytes_max = 1 << 20,
                                 .store_bytes_max = 16 << 20};
static struct worker *worker;

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count;
    (void)arguments;
    signal(SIGPIPE, SIG_IGN);
    slab_start(SLAB_POOL);
    object_limit_store(options.store_bytes_max);
    request_on_body(connection_sink);
    checksum_start();
    if (!store_start() || !sha256_start())
        abort();
    const struct worker_source source = {.listener = eventfd(0, EFD_NONBLOCK)};
    worker = worker_create(&options, 0, &source, eventfd(0, EFD_NONBLOCK), NULL);
    if (worker == NULL)
        abort();
    return 0;
}

// An object to read; what earlier inputs left is there too.
static void prepare_store(void) {
    static const struct kept_headers none;
    store_create_bucket(TEXT("bucket"), 0);
    struct object *o = object_create(&none, 3, 3);
    if (o == NULL || !object_append(o, "abc", 3) ||
        store_put(TEXT("bucket"), TEXT("key"), o, NULL, NULL) != STORE_OK)
        object_release(o);
}

static void send_piece(struct connection *c, int peer, const uint8_t *piece, size_t n) {
    char answer[65536];
    if (write(peer, piece, n) < 0)
        return;
    connection_event(c, EPOLLIN);
    while (read(peer, answer, sizeof answer) > 0)
        connection_event(c, EPOLLOUT);
}

// The first byte says where the input is cut in two: what arrives in pieces is another path.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int ends[2];
    if (size < 2)
        return 0;
    size_t n = size - 1, cut = n * data[0] / 255;
    prepare_store();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        abort();
    struct connection *c = connection_accept(worker, ends[1]);
    if (c == NULL)
        abort();
    send_piece(c, ends[0], data + 1, cut);
    send_piece(c, ends[0], data + 1 + cut, n - cut);
    shutdown(ends[0], SHUT_WR);
    connection_event(c, EPOLLIN);
    connection_close(c);
    worker_free_dead(worker);
    close(ends[0]);
    return 0;
}
