// Keys derived from secrets, kept while they serve: one per credential, day and region.
#pragma once
#include "authorization.h"
#include "options.h"
#include "sha256.h"

namespace pausemark {

// Belongs to one thread. Only keys of requests whose signature was right are kept, so that nobody
// without a secret can push one out.
class signing_keys {
  public:
    // `known` must outlive it.
    explicit signing_keys(std::span<const credential> known) noexcept : known_(known) {}

    // Null when nobody has this id.
    [[nodiscard]] const credential *find_owner(text key_id) const noexcept;
    // From the kept ones, or derived by four HMACs.
    [[nodiscard]] sha256_digest get(sha256 &hash, const credential &owner,
                                    const authorization &a) const noexcept;
    void keep(const credential &owner, const authorization &a, const sha256_digest &key) noexcept;

  private:
    static constexpr std::size_t region_bytes_max = 32; // a longer one is derived each time
    struct derived {
        const credential *owner = nullptr;
        std::size_t region_n = 0;
        std::array<char, 8> day;
        std::array<char, region_bytes_max> region;
        sha256_digest key;
    };
    [[nodiscard]] const derived *find(const credential &owner,
                                      const authorization &a) const noexcept;

    const std::span<const credential> known_;
    std::array<derived, 16> kept_; // more than one run's credentials and regions
    std::size_t oldest_ = 0;
};

} // namespace pausemark
