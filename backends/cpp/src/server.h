// One thread that serves, whichever HTTP stack it has.
#pragma once
#include "options.h"
#include <memory>

namespace pausemark {

class log_gate;

class server {
  public:
    server() = default;
    server(const server &) = delete;
    server &operator=(const server &) = delete;
    virtual ~server() = default;

    // Until stop(), and until what is in flight is done.
    virtual void run() = 0;
    // From any thread.
    virtual void stop() = 0;
};

inline constexpr std::int64_t stall_s = 30;
inline constexpr std::int64_t linger_s = 2;
inline constexpr std::int64_t stop_ms = 1500; // of the 2 s that the contract gives
inline constexpr std::int64_t stop_step_ms = 50;

// Each takes over the listening socket. `log` is null in ram.
[[nodiscard]] std::unique_ptr<server> make_beast_server(const options &o, unsigned index,
                                                        int listener, bool is_v6, log_gate *log);
// Null with errno set when the system refuses.
[[nodiscard]] std::unique_ptr<server> make_epoll_server(const options &o, unsigned index,
                                                        int listener, log_gate *log);

} // namespace pausemark
