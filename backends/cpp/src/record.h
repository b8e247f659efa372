// One record of the log, to bytes and back (backends/LOG.md); knows nothing of files or objects.
#pragma once
#include "text.h"
#include <array>

namespace pausemark {

inline constexpr std::size_t record_head_bytes = 80;
inline constexpr std::size_t record_key_bytes_max = 1088;
inline constexpr std::size_t record_metadata_bytes_max = 16384;

enum class operation : std::uint8_t {
    put_object = 1,
    delete_object = 2,
    create_bucket = 3,
    delete_bucket = 4
};

struct record {
    operation kind{};
    std::uint8_t data_place = 0;
    std::uint16_t parts = 0;
    std::uint32_t epoch = 0;
    std::uint64_t lsn = 0, durable_lsn = 0;
    std::int64_t time_ns = 0; // since 1970 UTC
    std::array<std::uint8_t, 16> md5{};
    text key, metadata, data; // views; a writer leaves data empty and names its size alone
    std::uint64_t data_bytes = 0;

    // Without the fill behind it.
    [[nodiscard]] std::uint64_t length() const noexcept {
        return record_head_bytes + key.size() + metadata.size() + data_bytes;
    }
};

// Every record begins at a multiple of 8.
[[nodiscard]] constexpr std::uint64_t round_up_8(std::uint64_t bytes) noexcept {
    return (bytes + 7) & ~std::uint64_t{7};
}

// Writes head, key and metadata, which the caller has room for; the CRC is still missing.
void put_record(char *to, const record &r) noexcept;
// Completes what put_record wrote; `crc` covers everything from byte 8 on, data included.
void put_record_crc(char *to, std::uint32_t crc) noexcept;

// The record at the beginning of `bytes`, which end with its segment; nothing when magic, epoch,
// lengths or CRC are not those of a record of this segment.
[[nodiscard]] std::optional<record> read_record(text bytes, std::uint32_t epoch) noexcept;
// Operation and data place are ones that this version can do.
[[nodiscard]] bool is_supported(const record &r) noexcept;

// Little endian on every machine.
template <typename number>
void put_little(char *to, number value) noexcept {
    for (std::size_t i = 0; i < sizeof(number); i++)
        to[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> 8 * i);
}
template <typename number>
[[nodiscard]] number get_little(const char *from) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(number); i++)
        value |= std::uint64_t{static_cast<std::uint8_t>(from[i])} << 8 * i;
    return static_cast<number>(value);
}

} // namespace pausemark
