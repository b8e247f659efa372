// SHA-256 and HMAC over it, by OpenSSL.
#pragma once
#include "text.h"
#include <array>
#include <initializer_list>
#include <memory>
#include <openssl/evp.h>

namespace pausemark {

using sha256_digest = std::array<std::uint8_t, 32>;
using hex_digest = std::array<char, 64>;
[[nodiscard]] hex_digest to_hex(const sha256_digest &digest) noexcept;

// Fetched once: a fetch per request takes locks. What OpenSSL refuses after open() ends the
// process: a digest that was not computed must never be compared with anything.
class sha256 {
  public:
    // False when the machine's OpenSSL has no SHA-256. Call once, before any thread.
    [[nodiscard]] static bool start() noexcept;
    // Makes the context, which all later digests use again. False when memory is exhausted.
    [[nodiscard]] bool open() noexcept;

    void restart() noexcept;
    void add(text bytes) noexcept;
    void add(std::span<const std::uint8_t> bytes) noexcept;
    [[nodiscard]] sha256_digest finish() noexcept;

  private:
    struct ender {
        void operator()(EVP_MD_CTX *c) const noexcept {
            EVP_MD_CTX_free(c);
        }
    };
    std::unique_ptr<EVP_MD_CTX, ender> context_;
};

// Of the lines, joined by LF. `hash` is open; what it had begun is lost. OpenSSL's own HMAC would
// allocate a copy of the key at each turn.
[[nodiscard]] sha256_digest hmac_sha256(sha256 &hash, std::span<const std::uint8_t> key,
                                        std::initializer_list<text> lines) noexcept;

} // namespace pausemark
