// One request of an HTTP/2 connection, and its answer.
#pragma once
#include "epoll_call.h"
#include "links.h"

namespace pausemark::epoll {

class h2_session;
class h2_pool;

using open_link = link_in<struct open_stream>;
using unended_link = link_in<struct unended_stream>; // whose request is not whole, likewise timed

// Taken when a head begins, given back when its stream is closed and the log has no write of it.
class h2_stream final : public epoll_call, public open_link, public unended_link {
  public:
    h2_stream(desk &d, h2_pool &home) noexcept : epoll_call(d), home_(home) {}

    void begin(h2_session &on, std::int32_t id) noexcept {
        session_ = &on;
        id_ = id;
    }
    // Of the head; a trailer is read past. What is beyond the limit of a head is not kept.
    void add_field(text name, text value) noexcept;
    // The head is whole, with `ended` the request too.
    void take_head(bool ended);
    void take_body(text bytes);
    void end_body();
    // The stream is closed; the log may still have a write of it.
    void close() noexcept;
    // Ready for the next request.
    void reset() noexcept;

    void on_commit() override;
    void begin_response(unsigned status) override;
    void add_header(text name, text value) override;
    void end_response(answer_content body) override;

    [[nodiscard]] std::int32_t id() const noexcept {
        return id_;
    }
    [[nodiscard]] bool has_head() const noexcept {
        return has_head_;
    }
    [[nodiscard]] bool is_ended() const noexcept {
        return is_ended_;
    }

    answer_content content; // what the session has still to send
    std::int64_t progress_s = 0;

  private:
    [[nodiscard]] error read_head();
    void read_field(text name, text value, text &authority);
    void finish_body();

    h2_pool &home_;
    h2_session *session_ = nullptr; // null once the stream is closed
    std::int32_t id_ = 0;
    bool has_head_ = false, is_ended_ = false, is_too_large_ = false;
    // Fields as they came, each behind two uint16 lengths: as many bytes as HTTP/1.1's ": " and
    // CRLF, so that both protocols have one limit.
    std::size_t space_n_ = 0;
    std::array<char, head_bytes_max> space_;
};

} // namespace pausemark::epoll
