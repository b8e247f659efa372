// Whether a body is the one that its request was signed with: by its digest, or chunk by chunk.
#pragma once
#include "payload.h"
#include "seal.h"

namespace pausemark {

// While the request was not verified there is nothing to prove, and every step is free.
class body_proof {
  public:
    // `expected` is x-amz-content-sha256. Both are borrowed. False when memory is exhausted.
    [[nodiscard]] bool open(const seal &of_request, text expected) noexcept;
    // Content, in order.
    void add(text content) noexcept {
        if (mode_ != mode::nothing)
            hash_.add(content);
    }

    // Of aws-chunked, for its decoder. `extension` is what stands behind the size.
    void begin_chunk(text extension) noexcept;
    void end_chunk() noexcept;
    void add_trailer(text name, text value) noexcept;
    void end_trailers() noexcept;

    // What is wrong so far.
    [[nodiscard]] error wrong() const noexcept {
        return wrong_;
    }
    // Once the body is whole: what is wrong, or none.
    [[nodiscard]] error finish() noexcept;

  private:
    enum class mode { nothing, digest, chunks, chunks_and_trailer };
    [[nodiscard]] bool has_chunks() const noexcept {
        return mode_ == mode::chunks || mode_ == mode::chunks_and_trailer;
    }
    void take_signature(text signature) noexcept;
    void compare(const sha256_digest &ours) noexcept;

    mode mode_ = mode::nothing;
    bool has_given_ = false; // a signature that is not compared yet
    error wrong_ = error::none;
    const seal *seal_ = nullptr;
    text expected_;
    sha256 hash_;
    hex_digest given_;    // the chunk's or the trailer's own signature
    hex_digest previous_; // the one that the next continues
};

} // namespace pausemark
