// Kept headers between an object and the log: for each name, NUL, value, NUL.
#pragma once
#include "object.h"

namespace pausemark {

[[nodiscard]] std::size_t kept_bytes(const object &o) noexcept;
// Writes kept_bytes(o) bytes; returns the end.
char *put_kept(char *to, const object &o) noexcept;
// Views into the object.
[[nodiscard]] kept_headers kept_of(const object &o) noexcept;
// Views into `from`; false when it is not such a list.
[[nodiscard]] bool read_kept(text from, kept_headers &kept) noexcept;

} // namespace pausemark
