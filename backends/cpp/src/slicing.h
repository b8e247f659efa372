// Reflected CRCs by table, eight bytes a step: what a polynomial without an instruction needs.
#pragma once
#include "text.h"
#include <array>
#include <cstdint>

namespace pausemark {

// `word` is as wide as the CRC.
template <class word, word polynomial>
class sliced_crc {
  public:
    // Goes on from `crc`, which is 0 at the beginning.
    [[nodiscard]] static word add(word crc, text bytes) noexcept {
        crc = static_cast<word>(~crc);
        for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
            std::uint64_t step = crc;
            for (std::size_t i = 0; i < 8; i++)
                step ^= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << 8 * i;
            crc = 0;
            for (std::size_t i = 0; i < 8; i++)
                crc ^= tables[7 - i][step >> 8 * i & 255];
        }
        for (const char c : bytes)
            crc = crc >> 8 ^ tables[0][(crc ^ static_cast<std::uint8_t>(c)) & 255];
        return static_cast<word>(~crc);
    }

  private:
    using table_type = std::array<std::array<word, 256>, 8>;

    static constexpr table_type make_tables() noexcept {
        table_type t{};
        for (word i = 0; i < 256; i++) {
            word crc = i;
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
    static const table_type tables;
};

template <class word, word polynomial>
constexpr typename sliced_crc<word, polynomial>::table_type
    sliced_crc<word, polynomial>::tables = sliced_crc<word, polynomial>::make_tables();

} // namespace pausemark
