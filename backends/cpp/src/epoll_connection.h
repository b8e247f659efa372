// A connection in an epoll set, its requests read by llhttp.
#pragma once
#include "descriptor.h"
#include "epoll_exchange.h"

namespace pausemark::epoll {

class worker;

// Belongs to its worker, which frees it when a round of events is over and the log has no write of
// it.
class connection final : public conversation<connection, worker, exchange> {
  public:
    connection(worker &w, descriptor fd) noexcept;

    // False when the system refuses to watch it.
    [[nodiscard]] bool start() noexcept;
    void on_event(std::uint32_t events);
    void close() noexcept;
    // The log has done what the request waits for.
    void on_commit();
    // Nobody names it any more.
    [[nodiscard]] bool is_over() const noexcept {
        return !fd_ && !is_waiting();
    }

  private:
    friend class conversation<connection, worker, exchange>;
    // Of conversation.h.
    [[nodiscard]] std::size_t send(text bytes) noexcept;
    void send_body() noexcept;
    void await_input() noexcept;
    void await_output() noexcept;
    void begin_waiting() noexcept {}
    [[nodiscard]] bool say_goodbye() noexcept;

    void on_readable();
    void watch(std::uint32_t events) noexcept;

    descriptor fd_;
    std::uint32_t watched_ = 0;
};

} // namespace pausemark::epoll
