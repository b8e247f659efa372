// Eight bytes a step by slicing, as crc32c.cpp does without its instruction: there is none for this
// polynomial.
#include "crc64nvme.h"
#include <array>

namespace pausemark {

constexpr std::uint64_t polynomial = 0x9a6c9329ac4bc9b5; // reflected
using table_type = std::array<std::array<std::uint64_t, 256>, 8>;

static constexpr table_type make_tables() noexcept {
    table_type t{};
    for (std::uint64_t i = 0; i < 256; i++) {
        std::uint64_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? polynomial : 0);
        t[0][i] = crc;
    }
    for (std::size_t k = 1; k < 8; k++) {
        for (std::size_t i = 0; i < 256; i++)
            t[k][i] = t[k - 1][i] >> 8 ^ t[0][t[k - 1][i] & 255];
    }
    return t;
}

constexpr table_type tables = make_tables();

std::uint64_t crc64nvme(std::uint64_t crc, text bytes) noexcept {
    crc = ~crc;
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
        std::uint64_t word = crc;
        for (std::size_t i = 0; i < 8; i++)
            word ^= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << 8 * i;
        crc = 0;
        for (std::size_t i = 0; i < 8; i++)
            crc ^= tables[7 - i][word >> 8 * i & 255];
    }
    for (const char c : bytes)
        crc = crc >> 8 ^ tables[0][(crc ^ static_cast<std::uint8_t>(c)) & 255];
    return ~crc;
}

} // namespace pausemark
