// Fields are gathered by place, because the string that holds them moves while it grows.
#include "h2_answer.h"

namespace pausemark::epoll {

void h2_answer::begin(unsigned status) {
    char digits[20];
    bytes_.clear();
    places_.clear();
    add(":status", put_u64(digits, status));
}

void h2_answer::add(text name, text value) {
    places_.push_back({bytes_.size(), name.size(), value.size()});
    for (const char c : name)
        bytes_ += lower(c);
    bytes_ += value;
}

std::span<const nghttp2_nv> h2_answer::fields() {
    fields_.clear();
    for (const auto &[at, name_n, value_n] : places_) {
        auto *const name = reinterpret_cast<std::uint8_t *>(bytes_.data() + at);
        fields_.push_back({name, name + name_n, name_n, value_n, NGHTTP2_NV_FLAG_NONE});
    }
    return fields_;
}

} // namespace pausemark::epoll
