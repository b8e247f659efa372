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

// The headers that are kept as they came, in the order in which they are told and logged.
enum class kept_header : std::uint8_t {
    content_type,
    cache_control,
    content_disposition,
    content_encoding,
    content_language,
    expires
};
inline constexpr std::size_t kept_count = 6;
// A value for each of them; empty where there is none.
class kept_values {
  public:
    [[nodiscard]] text &operator[](kept_header which) noexcept {
        return values_[static_cast<std::size_t>(which)];
    }
    [[nodiscard]] text operator[](kept_header which) const noexcept {
        return values_[static_cast<std::size_t>(which)];
    }
    [[nodiscard]] std::span<const text, kept_count> all() const noexcept {
        return values_;
    }

  private:
    std::array<text, kept_count> values_;
};

// Of an object that came with none.
inline constexpr text default_content_type = "binary/octet-stream";

// What a PUT asks to keep; borrowed from the request.
struct kept_headers {
    kept_values values;
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
    [[nodiscard]] kept_values kept() const noexcept;
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
    std::uint16_t kept_n_ = 0;                  // bytes of all kept values
    std::array<std::uint16_t, kept_count> value_n_{};
    // Behind the object: kept values, then per metadatum two uint16 lengths, name, value.
};

} // namespace pausemark
