// The event loop: accept, keep the clock, end what is silent too long, stop.
#include "worker.h"
#include "log_writer.h"
#include <boost/asio/post.hpp>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pausemark {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {
constexpr std::size_t round_handlers_max = 64;
} // namespace

std::unique_ptr<server> make_beast_server(const options &o, unsigned index, int listener,
                                          bool is_v6, log_gate *log) {
    return std::make_unique<worker>(o, index, listener, is_v6, log);
}

worker::worker(const options &o, unsigned index, int listener, bool is_v6, log_gate *log)
    : desk(o, index, log), spare_fd_(open("/dev/null", O_RDONLY | O_CLOEXEC)),
      acceptor_(context_.get_executor(), is_v6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(),
                listener),
      silence_(context_.get_executor()), grace_(context_.get_executor()) {
    acceptor_.non_blocking(true);
    wait_to_accept();
    if (log != nullptr)
        log->on_done = [this] { asio::post(context_.get_executor(), [this] { take_commits(); }); };
}

// Only a stop that ran out of time leaves connections waiting; the log writer has ended by now.
worker::~worker() {
    while (!committing_.empty())
        committing_.front().abandon();
    ::close(spare_fd_);
}

// A round is what is ready, and bounded, or what is always ready would keep the writer asleep.
void worker::run() {
    while (context_.run_one() > 0) {
        for (std::size_t done = 1; done < round_handlers_max && context_.poll_one() > 0; done++)
            ;
        if (desk.gate != nullptr)
            desk.gate->hand_over();
    }
}

void worker::stop() {
    asio::post(context_.get_executor(), [this] { begin_stop(); });
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

// One request may have had several writes under way: only the last one back lets it go on.
void worker::take_commits() {
    desk.tick();
    desk.gate->drain([](write &w) {
        auto &x = static_cast<exchange &>(*static_cast<call *>(w.owner));
        if (--x.waiting == 0)
            x.holder->on_commit();
    });
}

void worker::watch(connection &c) {
    timed_.push_back(c);
    if (!watching_)
        wait_for_silence();
}

// Once a second, while somebody owes us bytes.
void worker::wait_for_silence() {
    watching_ = true;
    silence_.expires_after(1s);
    silence_.async_wait([this](beast::error_code ec) {
        watching_ = false;
        if (ec)
            return;
        desk.tick();
        end_silent();
        if (!timed_.empty())
            wait_for_silence();
    });
}

// The list is in the order of last progress, but those that linger have less patience.
void worker::end_silent() {
    for (auto at = timed_.begin(); at != timed_.end();) {
        connection &c = *at++;
        const std::int64_t silent_s = desk.now_s() - c.progress_s();
        if (silent_s <= linger_s)
            return;
        if (c.is_lingering() || silent_s >= stall_s)
            c.close();
    }
}

void worker::wait_to_accept() {
    acceptor_.async_wait(asio::socket_base::wait_read, [this](beast::error_code ec) {
        if (ec || stopping_)
            return;
        desk.tick();
        accept_all();
        wait_to_accept();
    });
}

void worker::accept_all() {
    for (;;) {
        beast::error_code ec;
        tcp_socket socket(context_.get_executor());
        acceptor_.accept(socket, ec);
        if (!ec) {
            const boost::intrusive_ptr c(new connection(*this, std::move(socket)));
            all_.push_back(*c);
            c->start();
        } else if (ec == asio::error::no_descriptors ||
                   ec == std::errc::too_many_files_open_in_system) {
            if (!shed())
                return;
        } else if (ec != asio::error::interrupted && ec != asio::error::connection_aborted) {
            return;
        }
    }
}

// Out of descriptors: take the caller in on a spare one and hang up, or it would wait for ever and
// the listener would stay readable. False when nobody waits, which accept4 does not tell then.
bool worker::shed() noexcept {
    ::close(spare_fd_);
    const int fd = ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0)
        ::close(fd);
    spare_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

void worker::begin_stop() {
    beast::error_code ec;
    accept_all(); // whoever is in the backlog has connected and may have asked
    stopping_ = true;
    acceptor_.close(ec);
    deadline_ = std::chrono::steady_clock::now() + milliseconds(stop_ms);
    end_idle();
}

// The first round gives what was on its way the time to be read.
void worker::end_idle() {
    grace_.expires_after(milliseconds(stop_step_ms));
    grace_.async_wait([this](beast::error_code ec) {
        if (ec)
            return;
        for (auto at = all_.begin(); at != all_.end();) {
            connection &c = *at++;
            if (c.is_idle())
                c.close();
        }
        if (all_.empty() || std::chrono::steady_clock::now() >= deadline_)
            context_.stop();
        else
            end_idle();
    });
}

} // namespace pausemark
