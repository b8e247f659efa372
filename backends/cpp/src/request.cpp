// The header names that the contract gives a meaning, and the strictness that Beast leaves to us.
#include "request.h"
#include "kept.h"
#include <algorithm>

namespace pausemark {

void request::reset() noexcept {
    static_cast<request_fields &>(*this) = {};
    kept.values = {};
    kept.metadata_count = 0;
}

head_scan scan_head(text input) noexcept {
    const text seen = input.substr(0, head_bytes_max);
    if (!seen.empty() && (seen[0] < 'A' || seen[0] > 'Z'))
        return {head_state::bad};
    for (std::size_t line = 0; line < seen.size();) {
        const std::size_t feed = seen.find('\n', line);
        const std::size_t end = std::min(feed, seen.size());
        const std::size_t carriage = seen.substr(0, end).find('\r', line);
        if (carriage != text::npos && carriage + 1 < seen.size() && seen[carriage + 1] != '\n')
            return {head_state::bad};
        if (feed == text::npos)
            break;
        if (carriage == text::npos || carriage + 1 != feed)
            return {head_state::bad};
        if (line > 0 && (seen[line] == ' ' || seen[line] == '\t'))
            return {head_state::bad};
        if (carriage == line)
            return {head_state::complete, feed + 1};
        line = feed + 1;
    }
    return {input.size() >= head_bytes_max ? head_state::too_large : head_state::partial};
}

static void keep_metadata(request &r, text name, text value) noexcept {
    constexpr std::size_t prefix_n = text("x-amz-meta-").size();
    if (r.kept.metadata_count == metadata_count_max) {
        r.metadata_bytes = metadata_bytes_max + 1;
        return;
    }
    r.metadata_bytes += name.size() - prefix_n + value.size();
    r.kept.metadata[r.kept.metadata_count++] = {name, value};
}

static void read_length(request &r, text value) noexcept {
    const auto length = to_u64(value);
    r.bad = r.bad || !length || r.has_length;
    r.length = length.value_or(0);
    r.has_length = true;
}

static void read_encoding(request &r, text value) noexcept {
    r.bad = r.bad || r.has_encoding || !is_nocase(value, "chunked");
    r.has_encoding = r.chunked = true;
}

// Headers whose value is kept as it came. A table, so that adding one is adding a line.
struct plain_header {
    text name;
    text request_fields::*field;
};
constexpr plain_header plain_headers[] = {
    {"authorization", &request_fields::authorization},
    {"range", &request_fields::range},
    {"if-range", &request_fields::if_range},
    {"if-match", &request_fields::if_match},
    {"if-none-match", &request_fields::if_none_match},
    {"if-modified-since", &request_fields::if_modified_since},
    {"if-unmodified-since", &request_fields::if_unmodified_since},
    {"content-md5", &request_fields::content_md5},
    {"x-amz-content-sha256", &request_fields::content_sha256},
    {"x-amz-decoded-content-length", &request_fields::decoded_length},
    {"x-amz-checksum-crc32", &request_fields::crc32},
    {"x-amz-checksum-crc32c", &request_fields::crc32c},
    {"x-amz-checksum-crc64nvme", &request_fields::crc64nvme},
    {"x-amz-checksum-mode", &request_fields::checksum_mode},
    {"x-amz-trailer", &request_fields::trailer},
    {"x-amz-copy-source", &request_fields::copy_source},
    {"x-amz-copy-source-range", &request_fields::copy_range},
    {"x-amz-copy-source-if-match", &request_fields::copy_if_match},
    {"x-amz-copy-source-if-none-match", &request_fields::copy_if_none_match},
    {"x-amz-copy-source-if-modified-since", &request_fields::copy_if_modified_since},
    {"x-amz-copy-source-if-unmodified-since", &request_fields::copy_if_unmodified_since},
    {"x-amz-metadata-directive", &request_fields::metadata_directive},
};

static bool read_plain(request &r, text name, text value) noexcept {
    for (const auto &[known, field] : plain_headers) {
        if (is_nocase(name, known)) {
            r.*field = value;
            return true;
        }
    }
    const auto which = find_kept(name);
    if (which)
        r.kept.values[*which] = value;
    return which.has_value();
}

// Headers of features that S3 has and this subset has not.
static bool is_unsupported(text name) noexcept {
    return is_nocase(name, "x-amz-tagging") || starts_nocase(name, "x-amz-object-lock-") ||
           starts_nocase(name, "x-amz-server-side-encryption");
}

void request::read_header(text name, text value) noexcept {
    if (is_nocase(name, "host"))
        host_count++;
    else if (read_plain(*this, name, value))
        return;
    else if (is_nocase(name, "content-length"))
        read_length(*this, value);
    else if (is_nocase(name, "transfer-encoding"))
        read_encoding(*this, value);
    else if (is_nocase(name, "expect"))
        expect_continue = is_nocase(value, "100-continue");
    else if (starts_nocase(name, "x-amz-meta-"))
        keep_metadata(*this, name, value);
    else if (is_unsupported(name))
        unsupported = true;
}

bool request::is_sound() const noexcept {
    return !bad && host_count == 1 && !(has_length && has_encoding);
}

// "http://host/path" is how a proxy asks; the path is what counts.
static text without_authority(text target) noexcept {
    if (!starts_nocase(target, "http://"))
        return target;
    return target.substr(std::min(target.find('/', 7), target.size()));
}

bool request::route() noexcept {
    query = without_authority(target);
    path = cut(query, '?');
    text rest = path;
    if (!rest.empty() && rest[0] != '/')
        return false;
    if (!rest.empty())
        rest.remove_prefix(1);
    const auto bucket_name = percent_decode(cut(rest, '/'), decoded.data());
    if (!bucket_name)
        return false;
    const auto key_name = percent_decode(rest, decoded.data() + bucket_name->size());
    if (!key_name)
        return false;
    bucket = *bucket_name;
    key = *key_name;
    decoded_n = bucket.size() + key.size();
    // Judged here, and decoded again by whoever needs a parameter.
    const auto judged = percent_decode(query, decoded.data() + decoded_n);
    return is_utf8(bucket) && is_utf8(key) && judged && is_utf8(*judged);
}

text request::decode(text coded) noexcept {
    if (coded.size() > decoded.size() - decoded_n)
        return "";
    const text plain = percent_decode(coded, decoded.data() + decoded_n).value_or("");
    decoded_n += plain.size();
    return plain;
}

} // namespace pausemark
