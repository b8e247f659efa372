// A stored object: kept headers, digest and a body in blocks; immutable once it is in the store.
#pragma once
#include "slab.h"
#include "text.h"
#include <array>
#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>

namespace pausemark {

inline constexpr std::size_t metadata_count_max = 100;
// Checksums stand before the metadata, under their header's name.
inline constexpr std::size_t checksum_count_max = 3;
inline constexpr std::uint64_t length_unknown = UINT64_MAX;
using md5_digest = std::array<std::uint8_t, 16>;

struct header {
    text name, value;
};

// Of an object that came with none.
inline constexpr text default_content_type = "binary/octet-stream";

// What a PUT asks to keep; borrowed from the request.
struct kept_headers {
    text content_type, cache_control, content_encoding;
    std::size_t metadata_count = 0;
    // whole names, in any case
    std::array<header, checksum_count_max + metadata_count_max> metadata;
};

class object;
void intrusive_ptr_add_ref(object *o) noexcept;
void intrusive_ptr_release(object *o) noexcept;
using object_ref = boost::intrusive_ptr<object>;

// Shared between threads by object_ref; only the one uploader calls what is not const.
class object {
  public:
    // What all objects together may charge. Call once, before the first object.
    static void limit_store(std::uint64_t store_bytes_max) noexcept;
    // What they charge now.
    [[nodiscard]] static std::uint64_t charged_by_all() noexcept;
    // Null when memory or the limit is exhausted. `key_bytes` only counts for the limit.
    [[nodiscard]] static object_ref create(const kept_headers &kept, std::uint64_t length,
                                           std::size_t key_bytes) noexcept;
    object(const object &) = delete;
    object &operator=(const object &) = delete;

    // False when memory or the limit is exhausted.
    [[nodiscard]] bool append(text bytes) noexcept;
    // Gives back what an unknown length had reserved too much.
    void seal() noexcept;

    [[nodiscard]] std::uint64_t size_bytes() const noexcept {
        return size_bytes_;
    }
    // The contiguous bytes from `offset` to the end of their block.
    [[nodiscard]] text slice(std::uint64_t offset) const noexcept;
    [[nodiscard]] text content_type() const noexcept {
        return {fields(), type_n_};
    }
    [[nodiscard]] text cache_control() const noexcept {
        return {fields() + type_n_, cache_n_};
    }
    [[nodiscard]] text content_encoding() const noexcept {
        return {fields() + type_n_ + cache_n_, encoding_n_};
    }
    // Steps through the metadata, names in lower case: start with at = 0; false at the end.
    [[nodiscard]] bool next_metadata(std::size_t &at, header &found) const noexcept;

    std::int64_t modified_s = 0;
    md5_digest md5{};
    std::uint16_t parts = 0; // of a multipart object: its md5 is that of the parts' digests

  private:
    object(std::size_t allocated_bytes, std::uint64_t length) noexcept;
    ~object();
    [[nodiscard]] bool charge(std::uint64_t bytes) noexcept;
    void pack(const kept_headers &kept) noexcept;
    [[nodiscard]] char *block(std::uint32_t index) const noexcept;
    [[nodiscard]] std::uint64_t last_block_at() const noexcept;
    [[nodiscard]] bool grow_table() noexcept;
    [[nodiscard]] bool add_block() noexcept;
    void replace_last(char *block, std::size_t bytes) noexcept;
    [[nodiscard]] char *fields() noexcept {
        return reinterpret_cast<char *>(this + 1);
    }
    [[nodiscard]] const char *fields() const noexcept {
        return reinterpret_cast<const char *>(this + 1);
    }
    friend void intrusive_ptr_add_ref(object *o) noexcept;
    friend void intrusive_ptr_release(object *o) noexcept;

    std::atomic<std::uint32_t> references_ = 0;
    std::uint32_t allocated_bytes_;
    std::uint64_t size_bytes_ = 0;
    std::uint64_t charged_bytes_ = 0;
    std::uint64_t length_promised_; // or length_unknown
    std::uint32_t block_count_ = 0, table_capacity_ = 0;
    std::uint32_t last_block_bytes_ = 0; // capacity of the last block
    std::uint16_t type_n_ = 0, cache_n_ = 0, encoding_n_ = 0;
    char *single_ = nullptr; // the only block, while there is no table
    char **table_ = nullptr; // all blocks, from the second on
    // Behind the object: type, cache, encoding, then per metadatum two uint16 lengths, name, value.
};

} // namespace pausemark
