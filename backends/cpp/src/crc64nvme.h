// CRC-64/NVME, by tables.
#pragma once
#include "text.h"

namespace pausemark {

// Continues `crc` over more bytes; 0 begins.
[[nodiscard]] std::uint64_t crc64nvme(std::uint64_t crc, text bytes) noexcept;

} // namespace pausemark
