// Conditions on the object that a key has: a GET's, those of a copy on its source, and a write's.
#pragma once
#include "object.h"

namespace pausemark {

// Header values; one that is absent has no data().
struct conditions {
    text match, none_match, modified_since, unmodified_since;
};
// RFC 9110 section 13.2.2: entity tags win over dates. 0, 304 or 412.
[[nodiscard]] unsigned precondition(const conditions &c, const object &o) noexcept;

// What a write asks of the ETag of the object that it replaces; header values, likewise.
struct write_conditions {
    text match, none_match;
    [[nodiscard]] bool are_asked() const noexcept {
        return match.data() != nullptr || none_match.data() != nullptr;
    }
};
// `present` is null where there is no object. 0, 404 or 412.
[[nodiscard]] unsigned precondition(const write_conditions &c, const object *present) noexcept;

} // namespace pausemark
