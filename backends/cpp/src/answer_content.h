// What an answer carries: a part of an object, or a document.
#pragma once
#include "object.h"
#include <string>

namespace pausemark {

struct answer_content {
    object_ref object;
    std::uint64_t from = 0, to = 0;
    std::string document; // when there is no object

    // The contiguous bytes at `at`, which is below `to`.
    [[nodiscard]] text slice(std::uint64_t at) const noexcept {
        const auto rest = static_cast<std::size_t>(to - at);
        if (object == nullptr)
            return text(document).substr(static_cast<std::size_t>(at), rest);
        return object->slice(at).substr(0, rest);
    }
};

} // namespace pausemark
