// The offsets of LOG.md's table, and what makes a record valid.
#include "record.h"
#include "crc32c.h"
#include <algorithm>

namespace pausemark {

constexpr text magic = "PMR1";

void put_record(char *to, const record &r) noexcept {
    std::ranges::copy(magic, to);
    put_little<std::uint32_t>(to + 4, 0);
    put_little(to + 8, r.length());
    put_little(to + 16, r.lsn);
    put_little(to + 24, r.durable_lsn);
    put_little(to + 32, r.epoch);
    to[36] = static_cast<char>(r.kind);
    to[37] = static_cast<char>(r.data_place);
    put_little(to + 38, r.parts);
    put_little(to + 40, static_cast<std::uint16_t>(r.key.size()));
    put_little<std::uint16_t>(to + 42, 0);
    put_little(to + 44, static_cast<std::uint32_t>(r.metadata.size()));
    put_little(to + 48, r.data_bytes);
    std::ranges::copy(r.md5, to + 56);
    put_little(to + 72, r.time_ns);
    to = std::ranges::copy(r.key, to + record_head_bytes).out;
    std::ranges::copy(r.metadata, to);
}

void put_record_crc(char *to, std::uint32_t crc) noexcept {
    put_little(to + 4, crc);
}

std::optional<record> read_record(text bytes, std::uint32_t epoch) noexcept {
    if (bytes.size() < record_head_bytes || !bytes.starts_with(magic))
        return std::nullopt;
    const char *from = bytes.data();
    const auto length = get_little<std::uint64_t>(from + 8);
    const auto key_n = get_little<std::uint16_t>(from + 40);
    const auto metadata_n = get_little<std::uint32_t>(from + 44);
    record r;
    r.data_bytes = get_little<std::uint64_t>(from + 48);
    r.epoch = get_little<std::uint32_t>(from + 32);
    if (r.epoch != epoch || key_n == 0 || key_n > record_key_bytes_max ||
        metadata_n > record_metadata_bytes_max || length > bytes.size())
        return std::nullopt;
    const std::uint64_t before_data = record_head_bytes + key_n + metadata_n;
    if (length < before_data || length - before_data != r.data_bytes)
        return std::nullopt;
    bytes = bytes.substr(0, static_cast<std::size_t>(length));
    if (crc32c(0, bytes.substr(8)) != get_little<std::uint32_t>(from + 4))
        return std::nullopt;
    r.kind = static_cast<operation>(from[36]);
    r.data_place = static_cast<std::uint8_t>(from[37]);
    r.parts = get_little<std::uint16_t>(from + 38);
    r.lsn = get_little<std::uint64_t>(from + 16);
    r.durable_lsn = get_little<std::uint64_t>(from + 24);
    r.time_ns = get_little<std::int64_t>(from + 72);
    std::copy_n(from + 56, r.md5.size(), r.md5.begin());
    r.key = bytes.substr(record_head_bytes, key_n);
    r.metadata = bytes.substr(record_head_bytes + key_n, metadata_n);
    r.data = bytes.substr(static_cast<std::size_t>(before_data));
    return r;
}

bool is_supported(const record &r) noexcept {
    const auto kind = static_cast<std::uint8_t>(r.kind);
    return kind >= 1 && kind <= 4 && r.data_place == 0;
}

} // namespace pausemark
