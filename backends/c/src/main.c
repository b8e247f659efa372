// pausemark-c: starts the workers, waits for a signal, ends them.
#include "bridge.h"
#include "checksum.h"
#include "front.h"
#include "listen.h"
#include "memory_file.h"
#include "options.h"
#include "replay.h"
#include "sha256.h"
#include "slab.h"
#include "stream.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREADS_MAX 64
enum { EXIT_FAILED = 1, EXIT_BAD_FLAGS = 2, EXIT_ENVIRONMENT = 4 };

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

// Each of the two classes in the file can have had all of the store, half of it lost in its blocks.
static bool start_file(const struct options *o) {
    if (!o->use_sendfile)
        return true;
    signal(SIGPIPE, SIG_IGN); // sendfile knows no MSG_NOSIGNAL
    slab_use_memory_file();
    return memory_file_start(((o->store_bytes_max >> 20) + 64) * 4 << 20);
}

static void stop_for_failure(void) {
    kill(getpid(), SIGTERM);
}

// What runs beside the workers; `log` is NULL in ram, `front` where there is no nginx, `bridge`
// where workers have the sockets.
struct parts {
    const sigset_t *signals;
    struct log_writer *log;
    struct front *front;
    struct bridge *bridge;
};

// False when nginx or the bridge ended by itself.
static bool wait_for_signal(const struct parts *parts) {
    int caught = 0;
    while (sigwait(parts->signals, &caught) != 0 || caught == SIGCHLD) {
        if (parts->front != NULL && front_has_ended(parts->front))
            return false;
        if (parts->bridge != NULL && bridge_has_ended(parts->bridge))
            return false;
    }
    return true;
}

// From the first request that may come to the last that is answered.
static int run_front(const struct parts *parts) {
    struct front *front = parts->front;
    int code = EXIT_SUCCESS;
    if (front != NULL && !front_start(front))
        code = EXIT_ENVIRONMENT;
    else if (!wait_for_signal(parts))
        code = EXIT_FAILED; // nginx or the bridge ended by itself
    if (front != NULL)
        front_stop(front);
    return code;
}

// The log ends behind the threads that submit to it and before the workers, which
// own what it still reads.
static int run_threads(const struct parts *parts, struct worker **workers, unsigned count,
                       int wake) {
    pthread_t threads[THREADS_MAX];
    struct log_writer *log = parts->log;
    unsigned started = 0;
    if (log != NULL && !log_writer_start(log, stop_for_failure))
        return fail("the log's writer");
    while (started < count &&
           pthread_create(&threads[started], NULL, worker_run, workers[started]) == 0)
        started++;
    int code = started == count ? run_front(parts) : fail("pthread_create");
    (void)eventfd_write(wake, 1); // never read: it stays readable for every worker
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (log != NULL)
        log_writer_stop(log);
    return code;
}

static int serve(const struct options *o, const struct parts *parts, const int *listeners,
                 struct channel *channels) {
    struct log_writer *log = parts->log;
    struct worker *workers[THREADS_MAX];
    int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake < 0)
        return fail("eventfd");
    for (unsigned i = 0; i < o->threads; i++) {
        struct log_gate *gate = log == NULL ? NULL : log_writer_gate(log, i);
        const struct worker_source source = {listeners[i], channels == NULL ? NULL : &channels[i]};
        workers[i] = worker_create(o, i, &source, wake, gate);
        if (workers[i] == NULL)
            return fail("a worker's set-up");
    }
    int code = run_threads(parts, workers, o->threads, wake);
    for (unsigned i = o->threads; i-- > 0;)
        worker_destroy(workers[i]);
    for (unsigned i = 0; i < o->threads; i++)
        close(listeners[i]);
    close(wake);
    sha256_stop();
    bool has_failed = streams_have_failed() || (log != NULL && log_writer_has_failed(log));
    return code == EXIT_SUCCESS && has_failed ? EXIT_FAILED : code;
}

static int serve_bridge(const struct options *o, const struct parts *parts, const int *listeners) {
    struct channel channels[THREADS_MAX];
    if (!bridge_start(parts->bridge, o->threads, listeners, channels))
        return EXIT_ENVIRONMENT;
    int code = serve(o, parts, listeners, channels);
    bridge_stop(parts->bridge);
    return code;
}

static int serve_listeners(const struct options *o, const struct parts *parts,
                           const int *listeners) {
    return o->bridge ? serve_bridge(o, parts, listeners) : serve(o, parts, listeners, NULL);
}

static int listen_and_serve(const struct options *o, const sigset_t *signals,
                            struct log_writer *log) {
    int listeners[THREADS_MAX];
    struct front front;
    struct bridge bridge;
    struct parts parts = {signals, log, o->front ? &front : NULL, o->bridge ? &bridge : NULL};
    bool good = listen_can(o);
    if (good && o->front) {
        int code = EXIT_ENVIRONMENT;
        if (front_open(&front, o, listeners))
            code = serve_listeners(o, &parts, listeners);
        front_close(&front);
        return code;
    }
    if (good && listen_on_port(o, listeners))
        return serve_listeners(o, &parts, listeners);
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
    if (count == 2 && strcmp(arguments[1], BRIDGE_ARGUMENT) == 0)
        return bridge_main();
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
    sigaddset(&signals, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    raise_descriptor_limit();
    checksum_start();
    if (!start_memory(&options))
        return fail("transparent huge pages");
    if (!start_file(&options))
        return fail("the file of memory");
    request_on_body(connection_sink);
    if (!store_start() || !sha256_start())
        return fail("start");
    return run(&options, &signals);
}
