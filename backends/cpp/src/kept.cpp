// The order is LOG.md's: type, caching, encoding, checksums, then metadata.
#include "kept.h"
#include <algorithm>

namespace pausemark {

template <typename action>
static void each_kept(const object &o, action &&act) noexcept {
    if (!o.content_type().empty())
        act("content-type", o.content_type());
    if (!o.cache_control().empty())
        act("cache-control", o.cache_control());
    if (!o.content_encoding().empty())
        act("content-encoding", o.content_encoding());
    header item;
    for (std::size_t at = 0; o.next_metadata(at, item);)
        act(item.name, item.value);
}

std::size_t kept_bytes(const object &o) noexcept {
    std::size_t sum = 0;
    each_kept(o, [&sum](text name, text value) { sum += name.size() + value.size() + 2; });
    return sum;
}

char *put_kept(char *to, const object &o) noexcept {
    each_kept(o, [&to](text name, text value) {
        to = std::ranges::copy(name, to).out;
        *to++ = '\0';
        to = std::ranges::copy(value, to).out;
        *to++ = '\0';
    });
    return to;
}

kept_headers kept_of(const object &o) noexcept {
    kept_headers kept;
    kept.content_type = o.content_type();
    kept.cache_control = o.cache_control();
    kept.content_encoding = o.content_encoding();
    header item;
    for (std::size_t at = 0; o.next_metadata(at, item);)
        kept.metadata[kept.metadata_count++] = item;
    return kept;
}

static bool take(text &from, text &item) noexcept {
    const std::size_t end = from.find('\0');
    if (end == text::npos)
        return false;
    item = from.substr(0, end);
    from.remove_prefix(end + 1);
    return true;
}

bool read_kept(text from, kept_headers &kept) noexcept {
    text name, value;
    while (!from.empty()) {
        if (!take(from, name) || !take(from, value) || name.empty())
            return false;
        if (name == "content-type")
            kept.content_type = value;
        else if (name == "cache-control")
            kept.cache_control = value;
        else if (name == "content-encoding")
            kept.content_encoding = value;
        else if (kept.metadata_count == kept.metadata.size())
            return false;
        else
            kept.metadata[kept.metadata_count++] = {name, value};
    }
    if (kept.content_type.empty())
        kept.content_type = default_content_type;
    return true;
}

} // namespace pausemark
