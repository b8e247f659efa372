// The epoll loop: accept, serve, keep the clock, end what is silent too long, stop.
#include "epoll_worker.h"
#include "log_writer.h"
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace pausemark {

std::unique_ptr<server> make_epoll_server(const options &o, unsigned index, int listener,
                                          log_gate *log) {
    auto made = std::make_unique<epoll::worker>(o, index, descriptor(listener), log);
    return made->open() ? std::move(made) : nullptr;
}

} // namespace pausemark

namespace pausemark::epoll {

constexpr int events_max = 256;

static descriptor open_spare() noexcept {
    return descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

worker::worker(const options &o, unsigned index, descriptor listener, log_gate *log)
    : desk(o, index, log), listener_(std::move(listener)), set_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), spare_(open_spare()) {
    if (log != nullptr)
        log->on_done = [this] { (void)eventfd_write(wake_.get(), 1); };
}

// Only a stop that ran out of time leaves connections; the log writer has ended by now.
worker::~worker() {
    all_.clear_and_dispose([](connection *c) { delete c; });
    dead_.clear_and_dispose([](connection *c) { delete c; });
}

bool worker::open() noexcept {
    epoll_event listening{.events = EPOLLIN, .data = {.ptr = &listener_}};
    epoll_event waking{.events = EPOLLIN, .data = {.ptr = &wake_}};
    return set_ && wake_ && epoll_ctl(set(), EPOLL_CTL_ADD, listener_.get(), &listening) == 0 &&
           epoll_ctl(set(), EPOLL_CTL_ADD, wake_.get(), &waking) == 0;
}

void worker::stop() {
    stop_asked_ = true;
    (void)eventfd_write(wake_.get(), 1);
}

void worker::run() {
    using std::chrono::steady_clock;
    std::array<epoll_event, events_max> events;
    steady_clock::time_point deadline;
    while (!stopping_ || (!all_.empty() && steady_clock::now() < deadline)) {
        const auto step_ms = static_cast<int>(stop_step_ms);
        const int wait_ms = stopping_ ? step_ms : timed_.empty() ? -1 : 1000;
        const int count = epoll_wait(set(), events.data(), events_max, wait_ms);
        const bool was_stopping = stopping_;
        desk.tick();
        for (int i = 0; i < count; i++)
            dispatch(events[static_cast<std::size_t>(i)].data.ptr,
                     events[static_cast<std::size_t>(i)].events);
        end_silent();
        if (was_stopping)
            close_idle(); // one round after the stop: what was on its way has been read
        else if (stopping_)
            deadline = steady_clock::now() + std::chrono::milliseconds(stop_ms);
        if (desk.gate != nullptr)
            desk.gate->hand_over();
        free_dead();
    }
}

void worker::dispatch(void *of, std::uint32_t events) {
    if (of == &listener_)
        accept_all();
    else if (of == &wake_)
        on_wake();
    else
        static_cast<connection *>(of)->on_event(events);
}

void worker::on_wake() {
    eventfd_t rings = 0;
    (void)eventfd_read(wake_.get(), &rings);
    if (desk.gate != nullptr)
        take_commits();
    if (stop_asked_ && !stopping_)
        begin_stop();
}

// One request may have had several writes under way: only the last one back lets it go on.
void worker::take_commits() {
    desk.gate->drain([](write &w) {
        auto &x = static_cast<epoll_call &>(*static_cast<call *>(w.owner));
        if (--x.waiting == 0)
            x.on_commit();
    });
    while (!ready_.empty()) { // a connection's streams send together what came back together
        connection &c = ready_.front();
        c.ready_link::unlink();
        c.go_on_h2();
    }
}

std::unique_ptr<exchange> worker::take_exchange() {
    if (free_exchanges_.empty())
        return std::make_unique<exchange>(desk);
    auto x = std::move(free_exchanges_.back());
    free_exchanges_.pop_back();
    return x;
}

void worker::give_exchange(std::unique_ptr<exchange> x) noexcept {
    x->reset();
    free_exchanges_.push_back(std::move(x));
}

void worker::bury(connection &c) noexcept {
    c.all_link::unlink();
    dead_.push_back(c);
}

connection &worker::adopt(descriptor fd) {
    auto *const c = new connection(*this, std::move(fd));
    all_.push_back(*c);
    if (!c->start())
        c->close();
    return *c;
}

void worker::accept_all() {
    for (int i = 0; i < events_max; i++) {
        descriptor fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd) {
            adopt(std::move(fd));
        } else if (errno == EMFILE || errno == ENFILE) {
            if (!shed())
                return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

// Out of descriptors: take the caller in on a spare one and hang up, or it would wait for ever and
// the listener would stay readable. False when nobody waits, which accept4 does not tell then.
bool worker::shed() noexcept {
    spare_ = descriptor();
    descriptor caller(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const bool was_there{caller};
    caller = descriptor(); // its number is the spare one's again
    spare_ = open_spare();
    return was_there;
}

// The list is in the order of last progress, but those that linger have less patience.
void worker::end_silent() noexcept {
    for (auto at = timed_.begin(); at != timed_.end();) {
        connection &c = *at++;
        const std::int64_t silent_s = desk.now_s() - c.progress_s();
        if (silent_s <= linger_s)
            return;
        if (c.is_lingering() || silent_s >= stall_s)
            c.close();
    }
}

void worker::begin_stop() {
    stopping_ = true;
    accept_all(); // whoever is in the backlog has connected and may have asked
    epoll_ctl(set(), EPOLL_CTL_DEL, listener_.get(), nullptr);
    say_goaway();
}

void worker::say_goaway() {
    for (auto at = all_.begin(); at != all_.end();)
        (at++)->say_goaway();
}

void worker::close_idle() noexcept {
    for (auto at = all_.begin(); at != all_.end();) {
        connection &c = *at++;
        if (c.is_idle())
            c.close();
    }
}

void worker::free_dead() noexcept {
    for (auto at = dead_.begin(); at != dead_.end();) {
        connection &c = *at++;
        if (c.is_over())
            delete &c;
    }
}

} // namespace pausemark::epoll
