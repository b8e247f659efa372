// Path and query as Signature Version 4 writes them, hashed while they are written.
#pragma once
#include "sha256.h"
#include <vector>

namespace pausemark {

// Gathers what is written, because each call into OpenSSL has its price.
class canonical_writer {
  public:
    explicit canonical_writer(sha256 &hash) noexcept : hash_(hash) {
        hash_.restart();
    }
    void put(char c) noexcept {
        if (n_ == buffer_.size())
            flush();
        buffer_[n_++] = c;
    }
    void put(text bytes) noexcept;
    // Decodes, then encodes each byte that is not unreserved, once. A `%` that begins no escape is
    // itself.
    void put_encoded(text coded, bool keeps_slash) noexcept;
    [[nodiscard]] sha256_digest finish() noexcept;

  private:
    void flush() noexcept;

    sha256 &hash_;
    std::size_t n_ = 0;
    std::array<char, 1024> buffer_;
};

// Room for the parameters of the longest query, so that sorting them takes no memory.
class query_sorter {
  public:
    explicit query_sorter(std::size_t bytes_max) {
        parameters_.reserve(bytes_max / 2 + 1); // "a&" is the shortest
    }
    // By encoded name, then by encoded value; one without `=` gets an empty value.
    void put(canonical_writer &to, text query) noexcept;

  private:
    struct parameter {
        text name, value;
    };
    [[nodiscard]] static bool is_before(const parameter &a, const parameter &b) noexcept;

    std::vector<parameter> parameters_;
};

} // namespace pausemark
