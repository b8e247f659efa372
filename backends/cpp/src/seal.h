// What a request was signed with; the signatures of its body's chunks go on from there.
#pragma once
#include "date.h"
#include "sha256.h"

namespace pausemark {

inline constexpr text sign_algorithm = "AWS4-HMAC-SHA256";
// Of nothing: what S3 puts where a chunk has no headers.
inline constexpr text empty_sha256 =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct seal {
    sha256_digest key;
    basic_date stamp;
    text scope; // borrowed from the request's Authorization
    hex_digest signature;
};

// In a time that does not tell how much of it is right.
[[nodiscard]] bool is_signature(text given, const hex_digest &ours) noexcept;

} // namespace pausemark
