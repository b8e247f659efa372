// HTTP/2 on one connection: nghttp2 between its bytes and its streams.
#pragma once
#include "h2_stream.h"
#include <memory>
#include <nghttp2/nghttp2.h>

namespace pausemark::epoll {

class connection;
class worker;

// What a client begins with.
inline constexpr text h2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Belongs to its connection, which moves the bytes. No function may end the connection: what calls
// them still stands in it.
class h2_session {
  public:
    h2_session(worker &w, connection &c) noexcept : worker_(w), connection_(c) {}
    ~h2_session();
    h2_session(const h2_session &) = delete;
    h2_session &operator=(const h2_session &) = delete;
    // False when memory is exhausted.
    [[nodiscard]] bool open();

    // Takes all of it, the preface first. False when the connection is of no use any more.
    [[nodiscard]] bool feed(text input);
    // Puts what is to be sent into the desk's output, a step at a time: none when nothing is.
    void fill();
    // Nothing is to come in either direction.
    [[nodiscard]] bool is_over() const noexcept;
    // No request is in progress.
    [[nodiscard]] bool is_idle() const noexcept {
        return open_.empty();
    }
    // The client has begun something and not ended it.
    [[nodiscard]] bool is_owed() const noexcept {
        return !unended_.empty() || frame_left_ > 0 || head_n_ > 0;
    }
    // No more streams are taken; those that are open may end.
    void say_goaway() noexcept;

    // For its streams.
    void submit(h2_stream &s, std::span<const nghttp2_nv> head) noexcept;
    void put_continue(std::int32_t id) noexcept;
    // There is something to send, told outside feed().
    void wake() noexcept;

  private:
    friend struct h2_callbacks; // what nghttp2 tells
    void on_begin_frame(const nghttp2_frame_hd &head) noexcept;
    void on_begin_head(std::int32_t id);
    void on_frame(const nghttp2_frame &frame);
    void on_sent(const nghttp2_frame &frame) noexcept;
    [[nodiscard]] bool put_data(h2_stream &s, const std::uint8_t *frame_head,
                                std::size_t n) noexcept;
    [[nodiscard]] h2_stream *find(std::int32_t id) const noexcept;
    void progress(h2_stream &s) noexcept;
    void follow(text input) noexcept;
    void end_silent() noexcept;

    struct ender {
        void operator()(nghttp2_session *s) const noexcept {
            nghttp2_session_del(s);
        }
    };
    worker &worker_;
    connection &connection_;
    std::unique_ptr<nghttp2_session, ender> session_;
    list_by<h2_stream, open_link> open_;
    list_by<h2_stream, unended_link> unended_; // the longest silent first
    bool has_goaway_ = false;
    std::int32_t begun_last_ = 0, reset_last_ = 0; // the highest stream, and that of ours to reset
    // Where in a frame the input stands, which nghttp2 does not tell.
    std::size_t frame_left_ = h2_preface.size(), head_n_ = 0;
    std::uint32_t frame_n_ = 0;
};

} // namespace pausemark::epoll
