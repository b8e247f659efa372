// Eight bytes a step in both ways: tables by slicing, or `crc32q`.
#include "crc32c.h"
#include <array>
#include <cstring>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace pausemark {

constexpr std::uint32_t polynomial = 0x82f63b78; // reflected
using table_type = std::array<std::array<std::uint32_t, 256>, 8>;

static constexpr table_type make_tables() noexcept {
    table_type t{};
    for (std::uint32_t i = 0; i < 256; i++) {
        std::uint32_t crc = i;
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

std::uint32_t crc32c_by_table(std::uint32_t crc, text bytes) noexcept {
    crc = ~crc;
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
        std::uint64_t word = 0;
        for (std::size_t i = 0; i < 8; i++)
            word |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << 8 * i;
        word ^= crc;
        crc = 0;
        for (std::size_t i = 0; i < 8; i++)
            crc ^= tables[7 - i][word >> 8 * i & 255];
    }
    for (const char c : bytes)
        crc = crc >> 8 ^ tables[0][(crc ^ static_cast<std::uint8_t>(c)) & 255];
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static std::uint32_t crc32c_by_sse(std::uint32_t crc,
                                                                     text bytes) noexcept {
    std::uint64_t state = ~crc;
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data(), sizeof word);
        state = _mm_crc32_u64(state, word);
    }
    for (const char c : bytes)
        state = _mm_crc32_u8(static_cast<std::uint32_t>(state), static_cast<std::uint8_t>(c));
    return ~static_cast<std::uint32_t>(state);
}

std::uint32_t crc32c(std::uint32_t crc, text bytes) noexcept {
    static const bool has_sse = __builtin_cpu_supports("sse4.2") != 0;
    return has_sse ? crc32c_by_sse(crc, bytes) : crc32c_by_table(crc, bytes);
}
#else
std::uint32_t crc32c(std::uint32_t crc, text bytes) noexcept {
    return crc32c_by_table(crc, bytes);
}
#endif

} // namespace pausemark
