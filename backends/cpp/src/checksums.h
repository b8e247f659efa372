// The checksums that a request promises of its body, by header or by trailer.
#pragma once
#include "checksum_kinds.h"
#include "error.h"
#include "object.h"

namespace pausemark {

class answer;
class aws_chunked;
struct request;
static_assert(checksum_kinds.size() == checksum_count_max);

class checksums {
  public:
    // What is wrong with the promises of the head, or none. Only aws-chunked bodies have trailers.
    [[nodiscard]] error open(const request &r, bool has_trailers) noexcept;
    // Puts those that are promised before the metadata, as room for what set_kept() writes.
    void keep(kept_headers &kept) const noexcept;

    void add(text content) noexcept;
    // Once the body is whole, before what follows.
    void finish() noexcept;
    [[nodiscard]] error verify_headers() const noexcept;
    [[nodiscard]] error verify_trailers(const aws_chunked &body) const noexcept;
    void set_kept(object &o) const noexcept;
    void tell(answer &a) const;

  private:
    struct promise {
        bool in_header = false, in_trailer = false;
        std::uint64_t expected = 0, found = 0;
        std::array<char, 12> coded; // `found` in base64
    };
    [[nodiscard]] bool is_promised(std::size_t kind) const noexcept {
        return promises_[kind].in_header || promises_[kind].in_trailer;
    }
    [[nodiscard]] text coded(std::size_t kind) const noexcept;

    std::array<promise, checksum_kinds.size()> promises_;
};

} // namespace pausemark
