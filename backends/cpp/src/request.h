// One request's head: views into what the parser owns, valid until the request is done.
#pragma once
#include "precondition.h"
#include "seal.h"

namespace pausemark {

inline constexpr std::size_t head_bytes_max = 16384;
inline constexpr std::size_t metadata_bytes_max = 2048;

enum class method { get, head, put, post, remove, other, unknown };

struct request_fields {
    method verb = method::other;
    text verb_name, target, path, query;
    bool keep_alive = false, expect_continue = false, chunked = false, has_length = false;
    bool has_encoding = false, unsupported = false, bad = false;
    unsigned host_count = 0;
    std::uint64_t length = 0;
    std::size_t metadata_bytes = 0;
    text authorization, range, if_range, if_match, if_none_match;
    text if_modified_since, if_unmodified_since;
    text content_md5, content_sha256, decoded_length, crc32, crc32c, crc64nvme, trailer;
    text checksum_mode, copy_source, copy_range, metadata_directive;
    text copy_if_match, copy_if_none_match, copy_if_modified_since, copy_if_unmodified_since;
    text bucket, key;      // decoded from the path by route()
    text upload_id;        // the query's, undecoded
    kept_values overrides; // of kept headers in the answer, decoded from the query
    std::size_t decoded_n = 0;
    std::uint16_t part_number = 0;
    std::optional<seal> sealed; // when the signature was verified
};

struct request : request_fields {
    kept_headers kept;
    std::array<char, head_bytes_max> decoded; // what is decoded from the target points into it

    void reset() noexcept;
    // What the contract says of one header.
    void read_header(text name, text value) noexcept;
    // Framing, Host and lengths: true when the head as a whole is one that we accept.
    [[nodiscard]] bool is_sound() const noexcept;
    // Splits the target in bucket and key. False on a bad escape or text that is not UTF-8.
    [[nodiscard]] bool route() noexcept;
    // A part of the query, decoded; each part once at most, so that there is room. After route(),
    // which judged the whole query.
    [[nodiscard]] text decode(text coded) noexcept;
};

// Of the write that it asks for.
[[nodiscard]] inline write_conditions conditions_of(const request &r) noexcept {
    return {r.if_match, r.if_none_match};
}

enum class head_state { partial, complete, bad, too_large };
struct head_scan {
    head_state state;
    std::size_t head_n = 0; // with the empty line, when complete
};
// Looks for the end of a head. Refuses bare CR, bare LF and folded lines, where Beast is laxer.
[[nodiscard]] head_scan scan_head(text input) noexcept;

} // namespace pausemark
