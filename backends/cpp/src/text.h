// Small conversions on borrowed text that HTTP and S3 need; no function here allocates or throws.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace pausemark {

// A view whose data() is nullptr is absent; an empty one that points somewhere is present.
using text = std::string_view;

[[nodiscard]] bool is_nocase(text a, text b) noexcept;
[[nodiscard]] bool starts_nocase(text a, text prefix) noexcept;
[[nodiscard]] text trim(text a) noexcept;
// The part before the separator; `rest` moves behind it, or to its own end.
[[nodiscard]] text cut(text &rest, char separator) noexcept;
[[nodiscard]] char lower(char c) noexcept;

// Decimal digits only; nothing on overflow.
[[nodiscard]] std::optional<std::uint64_t> to_u64(text a) noexcept;
[[nodiscard]] int hex_digit(char c) noexcept; // -1 when it is none
// `to` has room for 20 bytes.
[[nodiscard]] text put_u64(std::span<char, 20> to, std::uint64_t value) noexcept;
// `to` has room for two digits a byte.
void put_hex(char *to, std::span<const std::uint8_t> bytes) noexcept;

// Exact: false unless `a` is the padded base64 of exactly `to.size()` bytes.
[[nodiscard]] bool from_base64(text a, std::span<std::uint8_t> to) noexcept;
void put_base64(char *to, std::span<const std::uint8_t> bytes) noexcept;

// Percent-decodes into `to`, which has room for a.size() bytes; nothing on a bad escape.
[[nodiscard]] std::optional<text> percent_decode(text a, char *to) noexcept;
[[nodiscard]] bool is_utf8(text a) noexcept;

// Steps through a query's parameters, undecoded; false at the end.
[[nodiscard]] bool next_parameter(text &rest, text &name, text &value) noexcept;

} // namespace pausemark
