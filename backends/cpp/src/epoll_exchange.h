// A request in progress on the epoll stack: llhttp's parser, and an answer written as bytes.
#pragma once
#include "conversation.h"
#include "epoll_call.h"
#include <llhttp.h>
#include <memory_resource>

namespace pausemark::epoll {

class connection;

// Taken when a head is complete, given back when its body is read and its answer sent. What the
// request points into lies in an arena of its own, which has nowhere to grow: an allocation beyond
// it would end the process in any test.
class exchange final : public epoll_call {
  public:
    explicit exchange(desk &d) noexcept;

    // Parses exactly one head; what is wrong with it, or none.
    [[nodiscard]] error read_head(text head);
    // What the body takes of the input.
    [[nodiscard]] body_step feed_body(text input) noexcept;
    // Ready for the next request.
    void reset() noexcept;

    void on_commit() override;
    void begin_response(unsigned status) override;
    void add_header(text name, text value) override;
    void end_response(answer_content body) override;

    [[nodiscard]] bool is_sending() const noexcept {
        return large.from < large.to;
    }

    connection *holder = nullptr; // whose request it is
    answer_content large;         // what the connection has still to send

  private:
    static const llhttp_settings_t settings;
    void take_header() noexcept;
    [[nodiscard]] error why_bad(text head) const noexcept;

    std::array<std::byte, head_bytes_max> space_;
    std::pmr::monotonic_buffer_resource arena_{space_.data(), space_.size(),
                                               std::pmr::null_memory_resource()};
    llhttp_t parser_;
    text name_, value_; // the header that is being parsed
    bool in_head_ = false, head_done_ = false;
};

} // namespace pausemark::epoll
