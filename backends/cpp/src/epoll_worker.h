// One thread of the epoll stack: its listener, its epoll set, its connections and its desk.
#pragma once
#include "epoll_connection.h"
#include "h2_pool.h"
#include "server.h"
#include <atomic>
#include <vector>

namespace pausemark::epoll {

class worker final : public server {
  public:
    worker(const options &o, unsigned index, descriptor listener, log_gate *log);
    ~worker() override;

    // False with errno set when the system refuses.
    [[nodiscard]] bool open() noexcept;
    void run() override;
    void stop() override;

    // Takes a connected socket in. The connection is freed by free_dead(), once it is closed.
    connection &adopt(descriptor fd);
    void free_dead() noexcept;

    // For its connections, from its own thread.
    [[nodiscard]] std::unique_ptr<exchange> take_exchange();
    void give_exchange(std::unique_ptr<exchange> x) noexcept;
    // The clock of silence starts anew.
    void watch(connection &c) noexcept {
        timed_.push_back(c);
    }
    // It has something to send, told while others are served.
    void make_ready(connection &c) noexcept {
        if (!c.ready_link::is_linked())
            ready_.push_back(c);
    }
    // It is closed, and freed once nobody names it.
    void bury(connection &c) noexcept;
    [[nodiscard]] bool is_stopping() const noexcept {
        return stopping_;
    }
    [[nodiscard]] bool speaks_h2() const noexcept {
        return desk.limits.http == stack::nghttp2;
    }
    [[nodiscard]] int set() const noexcept {
        return set_.get();
    }

    pausemark::desk desk;
    h2_pool streams{desk}; // before the connections, which give back to it

  private:
    void dispatch(void *of, std::uint32_t events);
    void on_wake();
    void accept_all();
    bool shed() noexcept;
    void take_commits();
    void end_silent() noexcept;
    void begin_stop();
    void close_idle() noexcept;
    void say_goaway();

    using connections = list_by<connection, all_link>;
    descriptor listener_, set_, wake_, spare_;
    std::vector<std::unique_ptr<exchange>> free_exchanges_;
    connections all_, dead_;
    list_by<connection, timed_link> timed_;
    list_by<connection, ready_link> ready_;
    std::atomic<bool> stop_asked_ = false;
    bool stopping_ = false;
};

} // namespace pausemark::epoll
