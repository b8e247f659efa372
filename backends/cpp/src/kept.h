// The names of kept headers, and their form in the log: for each name, NUL, value, NUL.
#pragma once
#include "object.h"

namespace pausemark {

struct kept_title {
    text shown, logged;
};
[[nodiscard]] const kept_title &title_of(kept_header which) noexcept;
// In any case of letters; nothing when it is none.
[[nodiscard]] std::optional<kept_header> find_kept(text name) noexcept;

[[nodiscard]] std::size_t kept_bytes(const object &o) noexcept;
// Writes kept_bytes(o) bytes; returns the end.
char *put_kept(char *to, const object &o) noexcept;
// Views into the object.
[[nodiscard]] kept_headers kept_of(const object &o) noexcept;
// Views into `from`; false when it is not such a list.
[[nodiscard]] bool read_kept(text from, kept_headers &kept) noexcept;

} // namespace pausemark
