// A small table, searched in order and replaced in turn.
#include "signing_keys.h"
#include <algorithm>

namespace pausemark {

static std::span<const std::uint8_t> to_bytes(text t) noexcept {
    return {reinterpret_cast<const std::uint8_t *>(t.data()), t.size()};
}

const credential *signing_keys::find_owner(text key_id) const noexcept {
    const auto found = std::ranges::find(known_, key_id, &credential::id);
    return found == known_.end() ? nullptr : &*found;
}

const signing_keys::derived *signing_keys::find(const credential &owner,
                                                const authorization &a) const noexcept {
    for (const derived &d : kept_) {
        if (d.owner == &owner && a.day == text(d.day.data(), d.day.size()) &&
            a.region == text(d.region.data(), d.region_n))
            return &d;
    }
    return nullptr;
}

sha256_digest signing_keys::get(sha256 &hash, const credential &owner,
                                const authorization &a) const noexcept {
    if (const derived *kept = find(owner, a))
        return kept->key;
    sha256_digest key = hmac_sha256(hash, to_bytes(owner.root), {a.day});
    for (const text part : {a.region, text("s3"), text("aws4_request")})
        key = hmac_sha256(hash, key, {part});
    return key;
}

void signing_keys::keep(const credential &owner, const authorization &a,
                        const sha256_digest &key) noexcept {
    if (a.region.size() > region_bytes_max || find(owner, a) != nullptr)
        return;
    derived &d = kept_[oldest_];
    oldest_ = (oldest_ + 1) % kept_.size();
    d.owner = &owner;
    std::ranges::copy(a.day, d.day.begin());
    std::ranges::copy(a.region, d.region.begin());
    d.region_n = a.region.size();
    d.key = key;
}

} // namespace pausemark
