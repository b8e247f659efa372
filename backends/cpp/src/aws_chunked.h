// Decoder of `aws-chunked` bodies: signed or unsigned chunks, with or without a trailer.
#pragma once
#include "body_proof.h"

namespace pausemark {

class aws_chunked {
  public:
    // Tells `proof` of chunks and trailers; null: signatures are read past.
    explicit aws_chunked(body_proof *proof = nullptr) noexcept : proof_(proof) {}

    // Consumes some of `input`; a piece of content, possibly empty, or nothing on a framing error.
    [[nodiscard]] std::optional<text> next(text &input) noexcept;
    [[nodiscard]] bool is_done() const noexcept {
        return state_ == state::done;
    }
    // The x-amz-checksum-crc32 trailer in base64; absent while none was seen.
    [[nodiscard]] text crc32() const noexcept {
        return has_crc32_ ? text(crc32_.data(), crc32_n_) : text();
    }

  private:
    enum class state { size, data, data_end, trailer, done };
    [[nodiscard]] bool take_line(text &input, bool &ended) noexcept;
    [[nodiscard]] bool end_line() noexcept;
    [[nodiscard]] bool read_size() noexcept;
    [[nodiscard]] bool read_trailer() noexcept;

    body_proof *const proof_;
    state state_ = state::size;
    bool has_crc32_ = false;
    std::uint64_t chunk_rest_ = 0;
    std::size_t line_n_ = 0, crc32_n_ = 0;
    std::array<char, 8> crc32_;
    std::array<char, 512> line_;
};

} // namespace pausemark
