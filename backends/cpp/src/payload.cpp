// The names of the kinds.
#include "payload.h"
#include "seal.h"
#include <algorithm>

namespace pausemark {

static bool is_digest(text t) noexcept {
    return t.size() == hex_digest{}.size() &&
           std::ranges::all_of(t, [](char c) { return hex_digit(c) >= 0; });
}

payload to_payload(text content_sha256) noexcept {
    if (content_sha256.data() == nullptr)
        return payload::absent;
    if (is_digest(content_sha256))
        return payload::digest;
    if (content_sha256 == unsigned_payload)
        return payload::as_it_comes;
    if (content_sha256 == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        return payload::signed_chunks;
    if (content_sha256 == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
        return payload::signed_chunks_and_trailer;
    if (content_sha256 == "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        return payload::unsigned_chunks;
    return content_sha256.starts_with("STREAMING-") ? payload::unknown_chunks : payload::unknown;
}

error check(payload kind) noexcept {
    if (kind == payload::unknown_chunks)
        return error::not_implemented;
    return kind == payload::unknown ? error::invalid_argument : error::none;
}

error check_empty(text content_sha256) noexcept {
    const bool promises_more =
        to_payload(content_sha256) == payload::digest && !is_nocase(content_sha256, empty_sha256);
    return promises_more ? error::content_sha256_mismatch : error::none;
}

} // namespace pausemark
