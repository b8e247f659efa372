// Streams in use are their session's, or left to the log; those that nobody uses are the pool's.
#include "h2_pool.h"
#include <new>

namespace pausemark::epoll {

// Only a stop that ran out of time leaves some; the log writer has ended by now.
h2_pool::~h2_pool() {
    left_.clear_and_dispose([](h2_stream *s) { delete s; });
}

h2_stream *h2_pool::take() noexcept {
    if (used_n_ == streams_max)
        return nullptr;
    h2_stream *s = nullptr;
    if (idle_.empty()) {
        s = new (std::nothrow) h2_stream(desk_, *this);
    } else {
        s = idle_.back().release();
        idle_.pop_back();
    }
    if (s != nullptr)
        used_n_++;
    return s;
}

void h2_pool::give(h2_stream &s) noexcept {
    std::unique_ptr<h2_stream> given(&s);
    used_n_--;
    if (idle_.size() == idle_max)
        return;
    s.reset();
    idle_.push_back(std::move(given)); // within what is reserved
}

} // namespace pausemark::epoll
