// The order is LOG.md's: the headers as kept_header has them, checksums, then metadata.
#include "kept.h"
#include <algorithm>

namespace pausemark {

constexpr std::array<kept_title, kept_count> titles{{
    {"Content-Type", "content-type"},
    {"Cache-Control", "cache-control"},
    {"Content-Disposition", "content-disposition"},
    {"Content-Encoding", "content-encoding"},
    {"Content-Language", "content-language"},
    {"Expires", "expires"},
}};

const kept_title &title_of(kept_header which) noexcept {
    return titles[static_cast<std::size_t>(which)];
}

std::optional<kept_header> find_kept(text name) noexcept {
    for (std::size_t i = 0; i < kept_count; i++) {
        if (is_nocase(name, titles[i].logged))
            return static_cast<kept_header>(i);
    }
    return std::nullopt;
}

template <typename action>
static void each_kept(const object &o, action &&act) noexcept {
    const kept_values values = o.kept();
    for (std::size_t i = 0; i < kept_count; i++) {
        if (!values.all()[i].empty())
            act(titles[i].logged, values.all()[i]);
    }
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
    kept.values = o.kept();
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
        if (const auto which = find_kept(name))
            kept.values[*which] = value;
        else if (kept.metadata_count == kept.metadata.size())
            return false;
        else
            kept.metadata[kept.metadata_count++] = {name, value};
    }
    if (text &type = kept.values[kept_header::content_type]; type.empty())
        type = default_content_type;
    return true;
}

} // namespace pausemark
