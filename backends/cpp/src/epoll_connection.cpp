// Readiness by level-triggered epoll, and the system calls of a socket.
#include "epoll_connection.h"
#include "epoll_worker.h"
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace pausemark::epoll {

constexpr std::size_t pieces_max = 16;

connection::connection(worker &w, descriptor fd) noexcept : conversation(w), fd_(std::move(fd)) {}

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
    else if (!lingering_)
        on_input(static_cast<std::size_t>(got));
}

void connection::on_event(std::uint32_t events) {
    if (!fd_)
        return;
    if (blocked_) {
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
