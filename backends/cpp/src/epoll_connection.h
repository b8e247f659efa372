// A connection in an epoll set, its requests read by llhttp, or by nghttp2 when it begins so.
#pragma once
#include "descriptor.h"
#include "epoll_exchange.h"

namespace pausemark::epoll {

class worker;
class h2_session;

// Belongs to its worker, which frees it when a round of events is over and the log has no write of
// it.
class connection final : public conversation<connection, worker, exchange>, public ready_link {
  public:
    connection(worker &w, descriptor fd) noexcept;
    ~connection();

    // False when the system refuses to watch it.
    [[nodiscard]] bool start() noexcept;
    void on_event(std::uint32_t events);
    void close() noexcept;
    // The log has done what the request waits for.
    void on_commit();
    // Between requests, or between streams: nothing is owed in either direction.
    [[nodiscard]] bool is_idle() const noexcept;
    // Of HTTP/2: sends what there is to send, and waits for what is to come.
    void go_on_h2();
    // The worker is stopping.
    void say_goaway();
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
    void tell_protocol(std::size_t n);
    void begin_h2(text input);
    void take_h2(text input);
    void watch(std::uint32_t events) noexcept;

    descriptor fd_;
    std::uint32_t watched_ = 0;
    bool undecided_;                 // which protocol it speaks
    std::unique_ptr<h2_session> h2_; // when it is HTTP/2
};

} // namespace pausemark::epoll
