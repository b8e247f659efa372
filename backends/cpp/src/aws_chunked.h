// Decoder of `aws-chunked` bodies: signed or unsigned chunks, with or without a trailer.
#pragma once
#include "body_proof.h"
#include "checksum_kinds.h"

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
    // A checksum's trailer as it came, by its kind; absent while none was seen.
    [[nodiscard]] text trailer(std::size_t kind) const noexcept {
        const trailer_value &t = trailers_[kind];
        return t.was_seen ? text(t.bytes.data(), t.n) : text();
    }

  private:
    enum class state { size, data, data_end, trailer, done };
    [[nodiscard]] bool take_line(text &input, bool &ended) noexcept;
    [[nodiscard]] bool end_line() noexcept;
    [[nodiscard]] bool read_size() noexcept;
    [[nodiscard]] bool read_trailer() noexcept;

    struct trailer_value {
        bool was_seen = false;
        std::size_t n = 0;
        std::array<char, 13> bytes; // one more than the longest checksum has: too long is seen
    };

    body_proof *const proof_;
    state state_ = state::size;
    std::uint64_t chunk_rest_ = 0;
    std::size_t line_n_ = 0;
    std::array<trailer_value, checksum_kinds.size()> trailers_;
    std::array<char, 512> line_;
};

} // namespace pausemark
