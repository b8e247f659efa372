// pausemark-c: starts the workers, waits for a signal, ends them.
#include "checksum.h"
#include "options.h"
#include "replay.h"
#include "sha256.h"
#include "slab.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
#define THREADS_MAX 64
enum { EXIT_FAILED = 1, EXIT_BAD_FLAGS = 2, EXIT_ENVIRONMENT = 4 };

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

// One listener a thread. A first bind without SO_REUSEPORT finds out whether the port is taken,
// which sharing would hide when the other process is of the same user.
static bool open_listeners(const struct options *o, int *listeners) {
    int probe = bind_socket(o, false);
    if (probe < 0)
        return false;
    bool free_port = listen(probe, 1) == 0;
    int error = errno;
    close(probe);
    errno = error;
    for (unsigned i = 0; free_port && i < o->threads; i++) {
        listeners[i] = bind_socket(o, o->threads > 1);
        free_port = listeners[i] >= 0 && listen(listeners[i], BACKLOG) == 0;
    }
    return free_port;
}

static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int fail(const char *what) {
    fprintf(stderr, "error: pausemark-c: %s: %s\n", what, strerror(errno));
    return EXIT_ENVIRONMENT;
}

static bool start_memory(const struct options *o) {
    object_limit_store(o->store_bytes_max);
    if (!o->use_pool)
        return slab_start(SLAB_MALLOC);
    return slab_start(o->use_huge_pages ? SLAB_POOL_OF_HUGE : SLAB_POOL);
}

static void stop_for_failure(void) {
    kill(getpid(), SIGTERM);
}

// `log` is NULL in ram. It ends behind the threads that submit to it and before the workers, which
// own what it still reads. False when a thread could not be had.
static bool run_threads(const sigset_t *signals, struct worker **workers, unsigned count,
                        struct log_writer *log, int wake) {
    pthread_t threads[THREADS_MAX];
    unsigned started = 0;
    int caught;
    if (log != NULL && !log_writer_start(log, stop_for_failure))
        return false;
    while (started < count &&
           pthread_create(&threads[started], NULL, worker_run, workers[started]) == 0)
        started++;
    if (started == count)
        sigwait(signals, &caught);
    (void)eventfd_write(wake, 1); // never read: it stays readable for every worker
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (log != NULL)
        log_writer_stop(log);
    return started == count;
}

static int serve(const struct options *o, const sigset_t *signals, const int *listeners,
                 struct log_writer *log) {
    struct worker *workers[THREADS_MAX];
    int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake < 0)
        return fail("eventfd");
    for (unsigned i = 0; i < o->threads; i++) {
        struct log_gate *gate = log == NULL ? NULL : log_writer_gate(log, i);
        workers[i] = worker_create(o, i, listeners[i], wake, gate);
        if (workers[i] == NULL)
            return fail("a worker's set-up");
    }
    bool good = run_threads(signals, workers, o->threads, log, wake);
    for (unsigned i = o->threads; i-- > 0;)
        worker_destroy(workers[i]);
    for (unsigned i = 0; i < o->threads; i++)
        close(listeners[i]);
    close(wake);
    sha256_stop();
    if (!good)
        return fail("pthread_create");
    return log != NULL && log_writer_has_failed(log) ? EXIT_FAILED : EXIT_SUCCESS;
}

static int listen_and_serve(const struct options *o, const sigset_t *signals,
                            struct log_writer *log) {
    int listeners[THREADS_MAX];
    if (open_listeners(o, listeners))
        return serve(o, signals, listeners, log);
    fprintf(stderr, "error: listen: cannot use %s port %u: %s\n", o->address, (unsigned)o->port,
            strerror(errno));
    return EXIT_ENVIRONMENT;
}

static int refuse_directory(const struct options *o, const char *what) {
    fprintf(stderr, "error: log: cannot %s %s, expected a directory of our own: %s\n", what,
            o->data_directory, strerror(errno));
    return EXIT_ENVIRONMENT;
}

// Brings the index to the log's end.
static int recover(const struct options *o, const struct log_directory *d, struct log_end *end) {
    struct replay into = {.store_bytes_max = o->store_bytes_max};
    switch (log_recover(d, replay_record, &into, end)) {
    case LOG_RECOVERED:
        return EXIT_SUCCESS;
    case LOG_STOPPED:
        return into.is_full ? EXIT_ENVIRONMENT : EXIT_FAILED;
    default:
        return EXIT_FAILED;
    }
}

static int serve_from(const struct options *o, const sigset_t *signals, struct log_directory *d) {
    struct log_end end;
    if (!log_directory_open(d, o->data_directory))
        return refuse_directory(o, "open");
    if (!log_directory_lock(d))
        return refuse_directory(o, "lock");
    int refused = recover(o, d, &end);
    if (refused != EXIT_SUCCESS)
        return refused;
    struct log_writer *log = log_writer_create(d, &o->log, &end, o->threads);
    if (log == NULL)
        return refuse_directory(o, "write to");
    int code = listen_and_serve(o, signals, log);
    log_writer_destroy(log);
    return code;
}

static int run(const struct options *o, const sigset_t *signals) {
    struct log_directory directory = {.fd = -1, .lock = -1};
    if (o->log.mode == DURABILITY_RAM)
        return listen_and_serve(o, signals, NULL);
    int code = serve_from(o, signals, &directory);
    log_directory_close(&directory);
    return code;
}

int main(int count, char **arguments) {
    struct options options;
    sigset_t signals;
    switch (options_read(count, arguments, &options)) {
    case OPTIONS_VERSION:
        printf("pausemark-c 0.1.0 llhttp %d.%d.%d\n", LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR,
               LLHTTP_VERSION_PATCH);
        return EXIT_SUCCESS;
    case OPTIONS_BAD:
        return EXIT_BAD_FLAGS;
    case OPTIONS_RUN:
        break;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    raise_descriptor_limit();
    checksum_start();
    if (!start_memory(&options))
        return fail("transparent huge pages");
    request_on_body(connection_sink);
    if (!store_start() || !sha256_start())
        return fail("start");
    return run(&options, &signals);
}
