// Tags and dates against an object's.
#include "precondition.h"
#include "date.h"
#include "etag.h"

namespace pausemark {

static bool is_listed(text list, text hex) noexcept {
    while (!list.empty()) {
        text tag = trim(cut(list, ','));
        if (tag.starts_with("W/"))
            tag.remove_prefix(2);
        if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"')
            tag = tag.substr(1, tag.size() - 2);
        if (tag == "*" || tag == hex)
            return true;
    }
    return false;
}

unsigned precondition(const conditions &c, const object &o) noexcept {
    const etag tag(o);
    if (c.match.data() != nullptr) {
        if (!is_listed(c.match, tag.bare()))
            return 412;
    } else if (const auto date_s = from_http_date(c.unmodified_since);
               date_s && o.modified_s > *date_s) {
        return 412;
    }
    if (c.none_match.data() != nullptr)
        return is_listed(c.none_match, tag.bare()) ? 304 : 0;
    const auto date_s = from_http_date(c.modified_since);
    return date_s && o.modified_s <= *date_s ? 304 : 0;
}

unsigned precondition(const write_conditions &c, const object *present) noexcept {
    if (!c.are_asked())
        return 0;
    if (present == nullptr)
        return c.match.data() != nullptr ? 404 : 0;
    const etag tag(*present);
    if (c.match.data() != nullptr && !is_listed(c.match, tag.bare()))
        return 412;
    return c.none_match.data() != nullptr && is_listed(c.none_match, tag.bare()) ? 412 : 0;
}

} // namespace pausemark
