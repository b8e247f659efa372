// Readiness of the socket, and what keeps a connection alive.
#include "worker.h"

namespace pausemark {

using socket_base = asio::socket_base;

connection::connection(worker &w, tcp_socket socket) noexcept
    : conversation(w), socket_(std::move(socket)) {}

void connection::start() {
    beast::error_code ec;
    socket_.set_option(asio::ip::tcp::no_delay(true), ec);
    socket_.non_blocking(true, ec);
    if (!ec)
        await_input();
}

// A pending wait ends with an error, and with it the last reference.
void connection::close() noexcept {
    beast::error_code ec;
    closed_ = true;
    socket_.close(ec);
    release_exchange();
    all_link::unlink();
    timed_link::unlink();
}

// Waiting for readiness, not for bytes: a read in flight would pin a buffer per idle connection.
void connection::await_input() {
    socket_.async_wait(socket_base::wait_read,
                       [self = boost::intrusive_ptr(this)](beast::error_code ec) {
                           if (!ec && !self->closed_)
                               self->on_readable();
                       });
}

void connection::await_output() {
    socket_.async_wait(socket_base::wait_write,
                       [self = boost::intrusive_ptr(this)](beast::error_code ec) {
                           if (ec || self->closed_)
                               return;
                           self->worker_.desk.tick();
                           self->on_output();
                       });
}

bool connection::say_goodbye() noexcept {
    beast::error_code ec;
    socket_.shutdown(socket_base::shutdown_send, ec);
    return !ec;
}

void connection::on_readable() {
    beast::error_code ec;
    worker_.desk.tick();
    const std::size_t got = socket_.read_some(asio::buffer(input_end(), input_bytes), ec);
    if (ec == asio::error::would_block || ec == asio::error::interrupted || (!ec && lingering_))
        await_input();
    else if (ec)
        close(); // a body that stops short is not stored
    else
        on_input(got);
}

void connection::begin_waiting() {
    waiting_self_ = this;
    if (!commit_link::is_linked())
        worker_.await_commit(*this);
}

void connection::abandon() noexcept {
    commit_link::unlink();
    exchange_.reset();
    waiting_self_.reset();
}

void connection::on_commit() {
    const boost::intrusive_ptr self(std::move(waiting_self_));
    commit_link::unlink();
    if (closed_)
        release_exchange();
    else
        committed();
}

} // namespace pausemark
