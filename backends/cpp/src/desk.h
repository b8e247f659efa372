// What the connections of one thread share: the time, request ids, and the two scratch buffers.
#pragma once
#include "date.h"
#include "options.h"
#include "request.h"
#include "verifier.h"

namespace pausemark {

class log_gate;

inline constexpr std::size_t input_bytes = 65536;
inline constexpr std::size_t output_bytes = 262144;
inline constexpr std::size_t inline_body_bytes_max = 32768;
// Room that one answer's head and inline body never exceed: what was kept of one head, what the
// query of another overrides, and our own headers.
inline constexpr std::size_t answer_bytes_max = 2 * head_bytes_max + inline_body_bytes_max + 2048;

// Belongs to one thread.
class desk {
  public:
    desk(const options &o, unsigned index, log_gate *log = nullptr);

    // Reads the coarse clocks; once per event.
    void tick() noexcept;
    [[nodiscard]] std::int64_t now_s() const noexcept {
        return now_s_;
    } // monotonic
    [[nodiscard]] std::int64_t wall_s() const noexcept {
        return wall_s_;
    }
    [[nodiscard]] text date() const noexcept {
        return view(date_);
    }

    using request_id = std::array<char, 16>;
    [[nodiscard]] request_id next_request_id() noexcept;

    [[nodiscard]] bool output_is_full() const noexcept {
        return output_n > output_bytes - answer_bytes_max;
    }
    void put(text bytes) noexcept;

    const options &limits;
    log_gate *const gate;                  // to the log writer; null in ram
    const std::unique_ptr<verifier> guard; // null while signatures are only parsed
    std::size_t output_n = 0;
    std::array<char, output_bytes> output;
    std::array<char, 2 * input_bytes> input;

  private:
    const unsigned index_;
    std::int64_t now_s_ = 0, wall_s_ = 0;
    std::uint64_t request_count_ = 0, request_seed_ = 0;
    http_date date_;
};

} // namespace pausemark
