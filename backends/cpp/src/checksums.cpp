// Computed only where they are promised; base64 of the big-endian bytes on the wire.
#include "checksums.h"
#include "call.h"
#include "crc32c.h"
#include "crc64nvme.h"
#include <algorithm>
#include <zlib.h>

namespace pausemark {

static constexpr std::size_t coded_n(std::size_t kind) noexcept {
    return (checksum_kinds[kind].bytes + 2) / 3 * 4;
}

static text declared(const request &r, std::size_t kind) noexcept {
    return kind == crc32_index ? r.crc32 : kind == crc32c_index ? r.crc32c : r.crc64nvme;
}

static std::optional<std::uint64_t> decode(text coded, std::size_t kind) noexcept {
    std::array<std::uint8_t, 8> bytes{};
    const std::span used(bytes.data(), checksum_kinds[kind].bytes);
    if (!from_base64(coded, used))
        return std::nullopt;
    std::uint64_t value = 0;
    for (const std::uint8_t byte : used)
        value = value << 8 | byte;
    return value;
}

// CRC-32 is older than the others' error.
static error not_a_checksum(std::size_t kind) noexcept {
    return kind == crc32_index ? error::bad_digest : error::invalid_request;
}

static bool is_listed(text names, text name) noexcept {
    while (!names.empty()) {
        if (is_nocase(trim(cut(names, ',')), name))
            return true;
    }
    return false;
}

error checksums::open(const request &r, bool has_trailers) noexcept {
    for (std::size_t kind = 0; kind < promises_.size(); kind++) {
        promise &p = promises_[kind];
        p.in_header = declared(r, kind).data() != nullptr;
        p.in_trailer = has_trailers && is_listed(r.trailer, checksum_kinds[kind].name);
        if (!p.in_header)
            continue;
        const auto value = decode(declared(r, kind), kind);
        if (!value)
            return not_a_checksum(kind);
        p.expected = *value;
    }
    return error::none;
}

void checksums::keep(kept_headers &kept) const noexcept {
    static constexpr text room = "AAAAAAAAAAAA";
    for (std::size_t kind = promises_.size(); kind-- > 0;) {
        if (!is_promised(kind))
            continue;
        const auto end = kept.metadata.begin() + static_cast<std::ptrdiff_t>(kept.metadata_count++);
        std::copy_backward(kept.metadata.begin(), end, end + 1);
        kept.metadata[0] = {checksum_kinds[kind].name, room.substr(0, coded_n(kind))};
    }
}

void checksums::add(text content) noexcept {
    if (std::uint64_t &crc = promises_[crc32_index].found; is_promised(crc32_index))
        crc = crc32_z(crc, reinterpret_cast<const Bytef *>(content.data()), content.size());
    if (std::uint64_t &crc = promises_[crc32c_index].found; is_promised(crc32c_index))
        crc = crc32c(static_cast<std::uint32_t>(crc), content);
    if (std::uint64_t &crc = promises_[crc64nvme_index].found; is_promised(crc64nvme_index))
        crc = crc64nvme(crc, content);
}

void checksums::finish() noexcept {
    for (std::size_t kind = 0; kind < promises_.size(); kind++) {
        std::array<std::uint8_t, 8> bytes{};
        const std::size_t n = checksum_kinds[kind].bytes;
        for (std::size_t i = 0; i < n; i++)
            bytes[i] = static_cast<std::uint8_t>(promises_[kind].found >> 8 * (n - 1 - i));
        put_base64(promises_[kind].coded.data(), {bytes.data(), n});
    }
}

text checksums::coded(std::size_t kind) const noexcept {
    return {promises_[kind].coded.data(), coded_n(kind)};
}

error checksums::verify_headers() const noexcept {
    const bool good = std::ranges::all_of(
        promises_, [](const promise &p) { return !p.in_header || p.expected == p.found; });
    return good ? error::none : error::bad_digest;
}

error checksums::verify_trailers(const aws_chunked &body) const noexcept {
    for (std::size_t kind = 0; kind < promises_.size(); kind++) {
        if (!promises_[kind].in_trailer)
            continue;
        const text given = body.trailer(kind);
        if (given.data() == nullptr)
            return error::malformed_trailer;
        const auto value = decode(given, kind);
        if (!value)
            return not_a_checksum(kind);
        if (*value != promises_[kind].found)
            return error::bad_digest;
    }
    return error::none;
}

void checksums::set_kept(object &o) const noexcept {
    for (std::size_t kind = 0; kind < promises_.size(); kind++) {
        if (is_promised(kind))
            o.replace_metadata(checksum_kinds[kind].name, coded(kind));
    }
}

void checksums::tell(answer &a) const {
    for (std::size_t kind = 0; kind < promises_.size(); kind++) {
        if (is_promised(kind))
            a.with(checksum_kinds[kind].name, coded(kind));
    }
}

} // namespace pausemark
