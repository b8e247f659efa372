// Streams that the log still has a write of belong to the pool, not to a connection.
#include "h2_pool.h"

namespace pausemark::epoll {

h2_stream *h2_pool::take() {
    if (free_.empty()) {
        if (all_.size() == streams_max)
            return nullptr;
        all_.push_back(std::make_unique<h2_stream>(desk_, *this));
        free_.reserve(all_.size());
        return all_.back().get();
    }
    h2_stream *const s = free_.back();
    free_.pop_back();
    return s;
}

void h2_pool::give(h2_stream &s) noexcept {
    s.reset();
    free_.push_back(&s);
}

} // namespace pausemark::epoll
