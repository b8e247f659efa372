// Gets answers to the socket: what was copied first, then the large body from where it lies.
#include "worker.h"

namespace pausemark {

// Returns how much of it is gone.
std::size_t connection::send(text bytes) noexcept {
    std::size_t gone = 0;
    while (gone < bytes.size()) {
        beast::error_code ec;
        gone += socket_.write_some(asio::buffer(bytes.data() + gone, bytes.size() - gone), ec);
        if (ec == asio::error::interrupted)
            continue;
        if (ec) {
            failed_ = ec != asio::error::would_block;
            break;
        }
    }
    return gone;
}

// Beast's serializer hands out the head and up to 16 blocks; one system call takes them all.
void connection::send_body() {
    serializer_type &serializer = *exchange_->serializer;
    while (!serializer.is_done()) {
        beast::error_code ec;
        std::size_t sent = 0;
        serializer.next(ec, [&](beast::error_code &failure, const auto &buffers) {
            sent = socket_.write_some(buffers, failure);
        });
        if (ec == asio::error::interrupted)
            continue;
        if (ec) {
            failed_ = ec != asio::error::would_block;
            return;
        }
        serializer.consume(sent);
    }
    exchange_->serializer.reset();
}

} // namespace pausemark
