// Dates between Unix seconds and the three forms that S3 speaks.
#pragma once
#include "text.h"
#include <array>

namespace pausemark {

using http_date = std::array<char, 29>;  // Sun, 06 Nov 1994 08:49:37 GMT
using iso_date = std::array<char, 24>;   // 1994-11-06T08:49:37.000Z
using basic_date = std::array<char, 16>; // 19941106T084937Z

[[nodiscard]] http_date to_http_date(std::int64_t unix_s) noexcept;
[[nodiscard]] iso_date to_iso_date(std::int64_t unix_s) noexcept;
[[nodiscard]] basic_date to_basic_date(std::int64_t unix_s) noexcept;
// IMF-fixdate only.
[[nodiscard]] std::optional<std::int64_t> from_http_date(text a) noexcept;
[[nodiscard]] std::optional<std::int64_t> from_basic_date(text a) noexcept;

template <std::size_t n>
[[nodiscard]] text view(const std::array<char, n> &chars) noexcept {
    return {chars.data(), n};
}

} // namespace pausemark
