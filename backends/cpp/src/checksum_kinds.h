// The checksums that S3 names and this subset computes.
#pragma once
#include "text.h"
#include <array>

namespace pausemark {

struct checksum_kind {
    text name; // of its header and of its trailer
    std::size_t bytes;
};
enum checksum_index : std::size_t { crc32_index, crc32c_index, crc64nvme_index };
inline constexpr std::array checksum_kinds = {
    checksum_kind{"x-amz-checksum-crc32", 4},
    checksum_kind{"x-amz-checksum-crc32c", 4},
    checksum_kind{"x-amz-checksum-crc64nvme", 8},
};

} // namespace pausemark
