// Signature Version 4 of a request's head: who asks, when, and whether the signature is theirs.
#pragma once
#include "error.h"
#include "seal.h"
#include "sent_fields.h"
#include "signing_keys.h"

namespace pausemark {

struct request;

// Belongs to one thread. An HTTP library's adapter tells it each field of a head; then the request
// is verified before another head is read. It takes no memory once it is open.
class verifier {
  public:
    // `known` must outlive it.
    explicit verifier(std::span<const credential> known);
    // False when memory is exhausted.
    [[nodiscard]] bool open() noexcept {
        return hash_.open();
    }

    void begin_head() noexcept {
        fields_.clear();
    }
    void add_field(text name, text value) noexcept {
        fields_.add(name, value);
    }
    // What is wrong, or none; then r.sealed says what the body's chunks go on from.
    [[nodiscard]] error verify(request &r, std::int64_t wall_s) noexcept;

  private:
    [[nodiscard]] std::optional<std::int64_t> find_time(const authorization &a) const noexcept;
    [[nodiscard]] error read_time(const authorization &a, std::int64_t wall_s,
                                  basic_date &stamp) const noexcept;
    [[nodiscard]] error hash_request(const request &r, text signed_names,
                                     hex_digest &canonical) noexcept;

    sha256 hash_;
    signing_keys keys_;
    sent_fields fields_;
    query_sorter query_;
};

} // namespace pausemark
