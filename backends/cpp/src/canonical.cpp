// Percent coding in Signature Version 4's dialect, and its order of parameters.
#include "canonical.h"
#include <algorithm>

namespace pausemark {

static bool is_unreserved(int c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

// The next decoded byte; -1 at the end.
static int next_byte(text &coded) noexcept {
    if (coded.empty())
        return -1;
    const int c = static_cast<std::uint8_t>(coded.front());
    const int high = c == '%' && coded.size() > 2 ? hex_digit(coded[1]) : -1;
    const int low = high < 0 ? -1 : hex_digit(coded[2]);
    coded.remove_prefix(low < 0 ? 1 : 3);
    return low < 0 ? c : high * 16 + low;
}

void canonical_writer::flush() noexcept {
    hash_.add(text(buffer_.data(), n_));
    n_ = 0;
}

void canonical_writer::put(text bytes) noexcept {
    for (const char c : bytes)
        put(c);
}

void canonical_writer::put_encoded(text coded, bool keeps_slash) noexcept {
    constexpr text digits = "0123456789ABCDEF";
    for (int c; (c = next_byte(coded)) >= 0;) {
        if (is_unreserved(c) || (c == '/' && keeps_slash)) {
            put(static_cast<char>(c));
        } else {
            put('%');
            put(digits[static_cast<std::size_t>(c) >> 4]);
            put(digits[static_cast<std::size_t>(c) & 15]);
        }
    }
}

sha256_digest canonical_writer::finish() noexcept {
    flush();
    return hash_.finish();
}

// The order of encoded texts, without encoding them: an escape's `%` comes before every unreserved
// byte, the end before both.
static int compare_encoded(text a, text b) noexcept {
    for (;;) {
        const int x = next_byte(a), y = next_byte(b);
        if (x != y)
            return (is_unreserved(x) ? x + 256 : x) - (is_unreserved(y) ? y + 256 : y);
        if (x < 0)
            return 0;
    }
}

bool query_sorter::is_before(const parameter &a, const parameter &b) noexcept {
    const int by_name = compare_encoded(a.name, b.name);
    return by_name != 0 ? by_name < 0 : compare_encoded(a.value, b.value) < 0;
}

void query_sorter::put(canonical_writer &to, text query) noexcept {
    parameters_.clear();
    while (!query.empty()) {
        parameter p;
        p.value = cut(query, '&');
        if (p.value.empty())
            continue;
        p.name = cut(p.value, '=');
        if (p.name != "X-Amz-Signature") // it is of the rest
            parameters_.push_back(p);
    }
    std::ranges::sort(parameters_, is_before);
    for (const parameter &p : parameters_) {
        if (&p != &parameters_.front())
            to.put('&');
        to.put_encoded(p.name, false);
        to.put('=');
        to.put_encoded(p.value, false);
    }
}

} // namespace pausemark
