// Where bodies, objects and index entries live: slabs of size classes, or malloc.
#pragma once
#include <cstddef>

namespace pausemark::slab {

inline constexpr std::size_t block_bytes_max = 65536;

// Before any other call; `use_pool` false hands everything to malloc.
void start(bool use_pool) noexcept;
// At most block_bytes_max bytes, aligned for any type; nullptr when the system has none. Thread
// safe.
[[nodiscard]] void *take(std::size_t bytes) noexcept;
// `bytes` as it was taken; a null block is nothing.
void give(void *block, std::size_t bytes) noexcept;

} // namespace pausemark::slab
