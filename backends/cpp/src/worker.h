// One thread: its listener, its io_context, its connections and its desk. Only the store is shared
// between workers.
#pragma once
#include "connection.h"
#include "server.h"
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <chrono>
#include <vector>

namespace pausemark {

using tcp_acceptor = asio::basic_socket_acceptor<asio::ip::tcp, executor>;
using steady_timer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, executor>;

class worker final : public server {
  public:
    // Takes over the listening socket.
    worker(const options &o, unsigned index, int listener, bool is_v6, log_gate *log);
    ~worker() override;

    void run() override;
    void stop() override;

    // For its connections, from its own thread.
    [[nodiscard]] std::unique_ptr<exchange> take_exchange();
    void give_exchange(std::unique_ptr<exchange> x) noexcept;
    void await_commit(connection &c) {
        committing_.push_back(c);
    }
    // The clock of silence starts anew.
    void watch(connection &c);
    [[nodiscard]] bool is_stopping() const noexcept {
        return stopping_;
    }

    pausemark::desk desk;

  private:
    void wait_to_accept();
    void accept_all();
    bool shed() noexcept;
    void end_silent();
    void wait_for_silence();
    void begin_stop();
    void end_idle();
    void take_commits();

    list_by<connection, all_link> all_;
    list_by<connection, timed_link> timed_;
    list_by<connection, commit_link> committing_;
    std::vector<std::unique_ptr<exchange>> free_exchanges_;
    int spare_fd_;
    bool stopping_ = false, watching_ = false;
    std::chrono::steady_clock::time_point deadline_;
    asio::io_context context_{1}; // ends before what its connections unlink themselves from
    tcp_acceptor acceptor_;
    steady_timer silence_, grace_;
};

} // namespace pausemark
