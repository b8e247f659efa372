// CRC-32C (Castagnoli), by the processor's instruction where it has one.
#pragma once
#include "text.h"

namespace pausemark {

// Continues `crc` over more bytes; 0 begins.
[[nodiscard]] std::uint32_t crc32c(std::uint32_t crc, text bytes) noexcept;
// The same by tables, for processors without SSE 4.2 (and for the test that compares the two).
[[nodiscard]] std::uint32_t crc32c_by_table(std::uint32_t crc, text bytes) noexcept;

} // namespace pausemark
