// Readiness by level-triggered epoll, and the system calls of a socket.
#include "epoll_connection.h"
#include "epoll_worker.h"
#include "h2_session.h"
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace pausemark::epoll {

constexpr std::size_t pieces_max = 16;

connection::connection(worker &w, descriptor fd) noexcept
    : conversation(w), fd_(std::move(fd)), undecided_(w.speaks_h2()) {}

connection::~connection() = default;

bool connection::is_idle() const noexcept {
    return h2_ ? h2_->is_idle() && !blocked_ : conversation::is_idle();
}

bool connection::start() noexcept {
    constexpr int on = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = this}};
    watched_ = EPOLLIN;
    return epoll_ctl(worker_.set(), EPOLL_CTL_ADD, fd_.get(), &event) == 0;
}

// Its memory stays until the round of events is over: an event may still name it.
void connection::close() noexcept {
    if (!fd_)
        return;
    fd_ = descriptor();
    release_exchange();
    timed_link::unlink();
    ready_link::unlink();
    worker_.bury(*this);
}

void connection::watch(std::uint32_t events) noexcept {
    if (watched_ == events)
        return;
    epoll_event event{.events = events, .data = {.ptr = this}};
    watched_ = events;
    failed_ = failed_ || epoll_ctl(worker_.set(), EPOLL_CTL_MOD, fd_.get(), &event) != 0;
}

void connection::await_input() noexcept {
    watch(EPOLLIN);
}

void connection::await_output() noexcept {
    watch(EPOLLOUT);
}

bool connection::say_goodbye() noexcept {
    return ::shutdown(fd_.get(), SHUT_WR) == 0;
}

void connection::on_readable() {
    const ssize_t got = ::recv(fd_.get(), input_end(), input_bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        close(); // a body that stops short is not stored
    else if (h2_)
        take_h2(input_with(static_cast<std::size_t>(got)));
    else if (undecided_)
        tell_protocol(static_cast<std::size_t>(got));
    else if (!lingering_)
        on_input(static_cast<std::size_t>(got));
}

// By the first bytes: HTTP/2 with prior knowledge begins with its preface.
void connection::tell_protocol(std::size_t n) {
    const text input = input_with(n), seen = input.substr(0, h2_preface.size());
    if (seen != h2_preface && h2_preface.starts_with(seen)) {
        hold(n);
        return;
    }
    undecided_ = false;
    if (seen == h2_preface)
        begin_h2(input);
    else
        on_input(n);
}

void connection::begin_h2(text input) {
    drop_input();
    h2_ = std::make_unique<h2_session>(worker_, *this);
    if (h2_->open())
        take_h2(input);
    else
        close();
}

void connection::take_h2(text input) {
    if (!h2_->feed(input)) {
        close();
        return;
    }
    if (worker_.is_stopping())
        h2_->say_goaway();
    go_on_h2();
}

void connection::go_on_h2() {
    if (blocked_ && !flush()) {
        if (failed_)
            close();
        return;
    }
    for (h2_->fill(); worker_.desk.output_n > 0; h2_->fill()) {
        if (flush())
            continue;
        set_timed(false);
        if (failed_)
            close();
        return;
    }
    if (h2_->is_over()) {
        h2_.reset();
        linger();
        return;
    }
    set_timed(h2_->is_owed());
    await_input();
}

void connection::say_goaway() {
    if (!h2_)
        return;
    h2_->say_goaway();
    go_on_h2();
}

void connection::on_event(std::uint32_t events) {
    if (!fd_)
        return;
    if (h2_ && blocked_) {
        go_on_h2();
    } else if (blocked_) {
        on_output();
    } else if (!is_waiting()) {
        on_readable();
    } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        close(); // its client has gone; the write goes on
    } else {
        watch(0); // what comes now has its turn when the log is done
    }
}

void connection::on_commit() {
    if (fd_)
        committed();
    else
        release_exchange();
}

std::size_t connection::send(text bytes) noexcept {
    std::size_t gone = 0;
    while (gone < bytes.size()) {
        const ssize_t sent =
            ::send(fd_.get(), bytes.data() + gone, bytes.size() - gone, MSG_NOSIGNAL);
        if (sent >= 0) {
            gone += static_cast<std::size_t>(sent);
        } else if (errno != EINTR) {
            failed_ = errno != EAGAIN;
            break;
        }
    }
    return gone;
}

// One system call takes up to 16 blocks from where they lie.
void connection::send_body() noexcept {
    answer_content &large = exchange_->large;
    std::array<iovec, pieces_max> pieces;
    while (large.from < large.to) {
        std::size_t count = 0;
        for (std::uint64_t at = large.from; at < large.to && count < pieces.size(); count++) {
            const text piece = large.slice(at);
            pieces[count] = {const_cast<char *>(piece.data()), piece.size()};
            at += piece.size();
        }
        msghdr message{};
        message.msg_iov = pieces.data();
        message.msg_iovlen = count;
        const ssize_t sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
        if (sent >= 0) {
            large.from += static_cast<std::uint64_t>(sent);
        } else if (errno != EINTR) {
            failed_ = errno != EAGAIN;
            return;
        }
    }
    large = {};
}

} // namespace pausemark::epoll
