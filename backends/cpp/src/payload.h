// What `x-amz-content-sha256` says of a request's body.
#pragma once
#include "error.h"

namespace pausemark {

enum class payload {
    absent,
    as_it_comes,
    digest,
    signed_chunks,
    signed_chunks_and_trailer,
    unsigned_chunks,
    unknown_chunks,
    unknown
};

inline constexpr text unsigned_payload = "UNSIGNED-PAYLOAD";
[[nodiscard]] payload to_payload(text content_sha256) noexcept;
// What is wrong with a kind, or none.
[[nodiscard]] error check(payload kind) noexcept;
// What is wrong, or none, when there is no body.
[[nodiscard]] error check_empty(text content_sha256) noexcept;
[[nodiscard]] constexpr bool is_signed_chunks(payload kind) noexcept {
    return kind == payload::signed_chunks || kind == payload::signed_chunks_and_trailer;
}
[[nodiscard]] constexpr bool is_aws_chunked(payload kind) noexcept {
    return is_signed_chunks(kind) || kind == payload::unsigned_chunks;
}

} // namespace pausemark
