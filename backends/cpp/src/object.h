// A stored object: kept headers, digest and content; immutable once it is in the store.
#pragma once
#include "content.h"
#include <array>
#include <span>

namespace pausemark {

inline constexpr std::size_t metadata_count_max = 100;
// Checksums stand before the metadata, under their header's name.
inline constexpr std::size_t checksum_count_max = 3;
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
class object : public content {
  public:
    // Null when memory or the limit is exhausted. `key_bytes` only counts for the limit.
    [[nodiscard]] static object_ref create(const kept_headers &kept, std::uint64_t length,
                                           std::size_t key_bytes) noexcept;
    // The same content with headers of its own: shared where it is larger than a block, and
    // charged.
    [[nodiscard]] static object_ref copy(const object &from, const kept_headers &kept,
                                         std::size_t key_bytes) noexcept;
    // The contents of objects that are charged for them until this one takes the charge, in order.
    [[nodiscard]] static object_ref join(std::span<const object_ref> pieces,
                                         const kept_headers &kept, std::size_t key_bytes) noexcept;

    // Copies bytes [begin, end) of another. False when memory or the limit is exhausted.
    [[nodiscard]] bool append_range(const object &from, std::uint64_t begin,
                                    std::uint64_t end) noexcept;
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

    // In place; nothing happens unless there is one of that name, with a value of that length.
    void replace_metadata(text name, text value) noexcept;

    std::int64_t modified_s = 0;
    md5_digest md5{};
    std::uint16_t parts = 0; // of a multipart object: its md5 is that of the parts' digests

  private:
    object(std::size_t allocated_bytes, std::uint64_t length) noexcept;
    ~object() = default;
    [[nodiscard]] static object_ref make(const kept_headers &kept, std::uint64_t length,
                                         std::size_t key_bytes) noexcept;
    void pack(const kept_headers &kept) noexcept;
    [[nodiscard]] char *fields() noexcept {
        return reinterpret_cast<char *>(this + 1);
    }
    [[nodiscard]] const char *fields() const noexcept {
        return reinterpret_cast<const char *>(this + 1);
    }
    friend void intrusive_ptr_add_ref(object *o) noexcept;
    friend void intrusive_ptr_release(object *o) noexcept;
    friend void intrusive_ptr_release(const content *c) noexcept;

    std::atomic<std::uint32_t> references_ = 0; // while there are any, it is charged
    std::uint16_t type_n_ = 0, cache_n_ = 0, encoding_n_ = 0;
    // Behind the object: type, cache, encoding, then per metadatum two uint16 lengths, name, value.
};

} // namespace pausemark
