// What the HTTP/2 connections of one thread share: streams to use again, and one answer's head.
#pragma once
#include "h2_answer.h"
#include "h2_stream.h"
#include <memory>

namespace pausemark::epoll {

class h2_pool {
  public:
    explicit h2_pool(desk &d) noexcept : desk_(d) {}
    // Null when there are too many at once.
    [[nodiscard]] h2_stream *take();
    void give(h2_stream &s) noexcept;

    h2_answer answer;

  private:
    static constexpr std::size_t streams_max = 16384; // of all connections of the thread

    desk &desk_;
    std::vector<std::unique_ptr<h2_stream>> all_; // as many as were ever in use at once
    std::vector<h2_stream *> free_;
};

} // namespace pausemark::epoll
