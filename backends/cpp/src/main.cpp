// pausemark-cpp: starts the workers, waits for a signal, ends them.
#include "log_writer.h"
#include "replay.h"
#include "server.h"
#include "store.h"
#include "upload.h"
#include <boost/asio/ip/tcp.hpp>
#include <boost/version.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace pausemark {

namespace ip = boost::asio::ip;

constexpr int backlog = 4096;
enum exit_code { exit_good = 0, exit_failed = 1, exit_bad_flags = 2, exit_environment = 4 };

// Less than zero with errno set when the address cannot be had.
static descriptor bind_socket(const ip::tcp::endpoint &at, bool shared) {
    constexpr int on = 1;
    descriptor fd(::socket(at.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd.get() < 0)
        return fd;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared)
        setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (::bind(fd.get(), at.data(), static_cast<socklen_t>(at.size())) == 0)
        return fd;
    const int why = errno;
    ::close(fd.release());
    errno = why;
    return fd;
}

// One listener a thread; fewer when one cannot be had, with errno set. A first bind without
// SO_REUSEPORT finds out whether the port is taken, which sharing would hide when the other process
// is of the same user.
static std::vector<descriptor> open_listeners(const options &o, const ip::tcp::endpoint &at) {
    std::vector<descriptor> listeners;
    {
        const descriptor probe = bind_socket(at, false);
        if (probe.get() < 0 || ::listen(probe.get(), 1) != 0)
            return listeners;
    }
    for (unsigned i = 0; i < o.threads; i++) {
        descriptor fd = bind_socket(at, o.threads > 1);
        if (fd.get() < 0 || ::listen(fd.get(), backlog) != 0)
            break;
        listeners.push_back(std::move(fd));
    }
    return listeners;
}

static void raise_descriptor_limit() noexcept {
    rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static std::unique_ptr<server> make_server(const options &o, unsigned index, int listener,
                                           bool is_v6, log_gate *log) {
    if (o.http == stack::beast)
        return make_beast_server(o, index, listener, is_v6, log);
    return make_epoll_server(o, index, listener, log);
}

// `log` is null in ram. It ends behind the threads that submit to it and before the workers, which
// own what it still reads.
// False with errno set when the system refuses.
static bool serve(const options &o, const sigset_t &signals, std::vector<descriptor> listeners,
                  bool is_v6, log_writer *log) {
    std::vector<std::unique_ptr<server>> workers;
    for (unsigned i = 0; i < o.threads; i++) {
        workers.push_back(make_server(o, i, listeners[i].release(), is_v6,
                                      log == nullptr ? nullptr : &log->gate(i)));
        if (workers.back() == nullptr)
            return false;
    }
    if (log != nullptr)
        log->start([] { kill(getpid(), SIGTERM); });
    {
        std::vector<std::jthread> threads;
        for (const auto &w : workers)
            threads.emplace_back([&w] { w->run(); });
        int caught = 0;
        sigwait(&signals, &caught);
        for (const auto &w : workers)
            w->stop();
    }
    if (log != nullptr)
        log->stop();
    return true;
}

static int refuse_listener(const options &o) {
    std::fprintf(stderr, "error: listen: cannot use %s port %u: %s\n", o.address.c_str(),
                 unsigned{o.port}, std::strerror(errno));
    return exit_environment;
}

static int refuse_directory(const options &o, const char *what) {
    std::fprintf(stderr, "error: log: cannot %s %s, expected a directory of our own: %s\n", what,
                 o.data_directory.c_str(), std::strerror(errno));
    return exit_environment;
}

// Holds the directory and brings the index to the log's end.
static int recover_log(const options &o, log_directory &directory, log_end &end) {
    if (!directory.open(o.data_directory))
        return refuse_directory(o, "open");
    if (!directory.lock())
        return refuse_directory(o, "lock");
    replay into(o.store_bytes_max);
    switch (recover(directory, into, end)) {
    case recovered::good:
        return exit_good;
    case recovered::stopped:
        return into.is_full() ? exit_environment : exit_failed;
    case recovered::refused:
    case recovered::failed:
        break;
    }
    return exit_failed;
}

static int serve(const options &o, const sigset_t &signals, log_writer *log) {
    const ip::tcp::endpoint at(ip::make_address(o.address), o.port);
    std::vector<descriptor> listeners = open_listeners(o, at);
    const bool is_v6 = at.protocol() == ip::tcp::v6();
    if (listeners.size() < o.threads || !serve(o, signals, std::move(listeners), is_v6, log))
        return refuse_listener(o);
    return log != nullptr && log->has_failed() ? exit_failed : exit_good;
}

static int serve_with_log(const options &o, const sigset_t &signals) {
    log_directory directory;
    log_end end;
    if (const int refused = recover_log(o, directory, end); refused != exit_good)
        return refused;
    const log_settings settings{o.mode, o.sync_interval_ms, {o.segment_bytes, o.log_bytes_max}};
    log_writer log(directory, settings, end, o.threads);
    if (!log.open())
        return refuse_directory(o, "write to");
    return serve(o, signals, &log);
}

static int run(const options &o) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    raise_descriptor_limit();
    slab::start(o.use_pool);
    object::limit_store(o.store_bytes_max);
    if (!store::start() || !sha256::start()) {
        std::fprintf(stderr, "error: start: no randomness, MD5 or SHA-256 on this system\n");
        return exit_environment;
    }
    return o.mode == durability::ram ? serve(o, signals, nullptr) : serve_with_log(o, signals);
}

} // namespace pausemark

int main(int count, char **arguments) {
    using namespace pausemark;
    const auto read = read_options({arguments, static_cast<std::size_t>(count)});
    if (!read)
        return exit_bad_flags;
    if (read->wants_version) {
        std::printf("pausemark-cpp 0.1.0 Boost %d.%d.%d\n", BOOST_VERSION / 100000,
                    BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
        return exit_good;
    }
    try {
        return run(*read);
    } catch (const std::exception &e) { // start and end only: the request path has error codes
        std::fprintf(stderr, "error: pausemark-cpp: %s\n", e.what());
        return exit_environment;
    }
}
