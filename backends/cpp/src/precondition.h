// Conditions on an object that is there: a GET's, and those of a copy on its source.
#pragma once
#include "object.h"

namespace pausemark {

// Header values; one that is absent has no data().
struct conditions {
    text match, none_match, modified_since, unmodified_since;
};
// RFC 9110 section 13.2.2: entity tags win over dates. 0, 304 or 412.
[[nodiscard]] unsigned precondition(const conditions &c, const object &o) noexcept;

} // namespace pausemark
