// A connection on Asio's socket, its requests read by Beast.
#pragma once
#include "exchange.h"
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

namespace pausemark {

class worker;
// Concrete, so that no call goes through a type-erased executor.
using executor = asio::io_context::executor_type;
using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, executor>;

// What keeps it alive is the one wait that is pending on its socket, or the log's while a write of
// it is under way.
class connection final
    : public boost::intrusive_ref_counter<connection, boost::thread_unsafe_counter>,
      public conversation<connection, worker, exchange>,
      public commit_link {
  public:
    connection(worker &w, tcp_socket socket) noexcept;

    void start();
    void close() noexcept;
    // The log has done what the request waits for.
    void on_commit();
    // Lets go of what waits, when nobody will say that it is done any more.
    void abandon() noexcept;

  private:
    friend class conversation<connection, worker, exchange>;
    // Of conversation.h. send() and send_body() are in sending.cpp.
    [[nodiscard]] std::size_t send(text bytes) noexcept;
    void send_body();
    void await_input();
    void await_output();
    void begin_waiting();
    [[nodiscard]] bool say_goodbye() noexcept;

    void on_readable();

    tcp_socket socket_;
    boost::intrusive_ptr<connection> waiting_self_; // while the log has a write of it
    bool closed_ = false;
};

} // namespace pausemark
