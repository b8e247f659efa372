// What the HTTP/2 connections of one thread share: streams to use again, and one answer's head.
#pragma once
#include "h2_answer.h"
#include "h2_stream.h"
#include <memory>

namespace pausemark::epoll {

class h2_pool {
  public:
    static constexpr std::size_t streams_max = 2048; // in use, of all connections of the thread
    static constexpr std::size_t idle_max = 256;     // kept for the next: each is 38 KB

    explicit h2_pool(desk &d) : desk_(d) {
        idle_.reserve(idle_max);
    }
    ~h2_pool();
    h2_pool(const h2_pool &) = delete;
    h2_pool &operator=(const h2_pool &) = delete;
    // Null when there are too many at once, or no memory. Taken until it is given back.
    [[nodiscard]] h2_stream *take() noexcept;
    // Frees it, or keeps it for the next.
    void give(h2_stream &s) noexcept;
    // Its session is gone, and the log still has a write of it: given back once that is done.
    void leave(h2_stream &s) noexcept {
        left_.push_back(s);
    }

    [[nodiscard]] std::size_t used_n() const noexcept {
        return used_n_;
    }
    [[nodiscard]] std::size_t idle_n() const noexcept {
        return idle_.size();
    }

    h2_answer answer;

  private:
    desk &desk_;
    std::vector<std::unique_ptr<h2_stream>> idle_;
    list_by<h2_stream, open_link> left_;
    std::size_t used_n_ = 0;
};

} // namespace pausemark::epoll
