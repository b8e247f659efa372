// The life of a connection: input to heads and bodies, answers out, limits on silence.
#pragma once
#include "exchange.h"
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

namespace pausemark {

class worker;
// Concrete, so that no call goes through a type-erased executor.
using executor = asio::io_context::executor_type;
using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, executor>;
using list_hook =
    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// Belongs to its worker's thread. What keeps it alive is the one wait that is pending on its
// socket, or the log's while a write of it is under way.
class connection final
    : public boost::intrusive_ref_counter<connection, boost::thread_unsafe_counter> {
  public:
    connection(worker &w, tcp_socket socket) noexcept;
    ~connection();
    connection(const connection &) = delete;
    connection &operator=(const connection &) = delete;

    void start();
    void close() noexcept;
    // The log has done what the request waits for.
    void on_commit();
    // Lets go of what waits, when nobody will say that it is done any more.
    void abandon() noexcept;
    // Between requests: nothing is owed in either direction.
    [[nodiscard]] bool is_idle() const noexcept;
    [[nodiscard]] bool is_lingering() const noexcept {
        return lingering_;
    }
    [[nodiscard]] std::int64_t progress_s() const noexcept {
        return progress_s_;
    }

    list_hook all_hook;    // every connection of the worker
    list_hook timed_hook;  // those that owe us bytes, the longest silent first
    list_hook commit_hook; // those that wait for the log, open or closed

  private:
    void wait_to_read();
    void wait_to_write();
    void on_readable();
    void on_writable();
    void process(std::size_t n, bool progress);
    [[nodiscard]] std::size_t consume(text input);
    [[nodiscard]] std::size_t take_head(text input);
    void take_request(text head);
    [[nodiscard]] std::size_t take_body(text input);
    void refuse(error code);
    void linger();
    void set_timed(bool owes, bool progress);
    [[nodiscard]] bool is_closing() const noexcept;
    [[nodiscard]] bool wants_body() const noexcept {
        return exchange_ && exchange_->body;
    }
    [[nodiscard]] bool is_waiting() const noexcept {
        return exchange_ && exchange_->waiting > 0;
    }
    void begin_waiting();
    void resume();
    void release_if_done() noexcept;
    // sending.cpp: sends the desk's output and the exchange's large body. False when it blocked or
    // the connection failed.
    [[nodiscard]] bool flush();
    [[nodiscard]] std::size_t send_head(text bytes) noexcept;
    void send_body();
    [[nodiscard]] text pending() const noexcept {
        return text(pending_).substr(pending_at_);
    }

    worker &worker_;
    tcp_socket socket_;
    std::unique_ptr<exchange> exchange_; // while a request is in progress
    std::string kept_;                   // input that is not consumed yet
    std::string pending_;                // output that the socket did not take
    std::size_t pending_at_ = 0;
    std::int64_t progress_s_ = 0;
    boost::intrusive_ptr<connection> waiting_self_; // while the log has a write of it
    bool committed_ = false;                        // it is done, but the output is blocked
    bool in_body_ = false, closing_ = false, lingering_ = false;
    bool blocked_ = false, failed_ = false, closed_ = false;
};

} // namespace pausemark
