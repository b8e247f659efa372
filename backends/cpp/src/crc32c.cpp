// Eight bytes a step in both ways: tables by slicing, or `crc32q`.
#include "crc32c.h"
#include "slicing.h"
#include <cstring>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace pausemark {

std::uint32_t crc32c_by_table(std::uint32_t crc, text bytes) noexcept {
    return sliced_crc<std::uint32_t, 0x82f63b78>::add(crc, bytes); // reflected
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
