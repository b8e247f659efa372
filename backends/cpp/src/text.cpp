// Comparisons, numbers, base64 and percent coding on borrowed text.
#include "text.h"
#include <algorithm>
#include <charconv>

namespace pausemark {

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool is_nocase(text a, text b) noexcept {
    return std::ranges::equal(a, b, {}, lower, lower);
}

bool starts_nocase(text a, text prefix) noexcept {
    return a.size() >= prefix.size() && is_nocase(a.substr(0, prefix.size()), prefix);
}

text trim(text a) noexcept {
    const std::size_t first = std::min(a.find_first_not_of(" \t"), a.size());
    a.remove_prefix(first);
    return a.substr(0, a.find_last_not_of(" \t") + 1);
}

text cut(text &rest, char separator) noexcept {
    const std::size_t at = rest.find(separator);
    const text head = rest.substr(0, at);
    rest.remove_prefix(at == text::npos ? rest.size() : at + 1);
    return head;
}

std::optional<std::uint64_t> to_u64(text a) noexcept {
    std::uint64_t value = 0;
    const char *end = a.data() + a.size();
    const auto parsed = std::from_chars(a.data(), end, value);
    if (a.empty() || parsed.ec != std::errc{} || parsed.ptr != end)
        return std::nullopt;
    return value;
}

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

text put_u64(std::span<char, 20> to, std::uint64_t value) noexcept {
    const auto end = std::to_chars(to.data(), to.data() + to.size(), value).ptr;
    return {to.data(), static_cast<std::size_t>(end - to.data())};
}

void put_hex(char *to, std::span<const std::uint8_t> bytes) noexcept {
    constexpr text digits = "0123456789abcdef";
    for (const std::uint8_t byte : bytes) {
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
}

static int base64_digit(char c) noexcept {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool from_base64(text a, std::span<std::uint8_t> to) noexcept {
    const std::size_t padding = (3 - to.size() % 3) % 3;
    if (a.size() != (to.size() + 2) / 3 * 4 ||
        a.substr(a.size() - padding) != text("==").substr(0, padding))
        return false;
    std::uint32_t bits = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < a.size(); i++) {
        const int digit = i < a.size() - padding ? base64_digit(a[i]) : 0;
        if (digit < 0)
            return false;
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        for (int shift = 16; i % 4 == 3 && shift >= 0 && at < to.size(); shift -= 8)
            to[at++] = static_cast<std::uint8_t>(bits >> shift);
    }
    return true;
}

void put_base64(char *to, std::span<const std::uint8_t> bytes) noexcept {
    constexpr text digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const auto byte = [bytes](std::size_t i) -> std::uint32_t {
        return i < bytes.size() ? bytes[i] : 0;
    };
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::uint32_t bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = i + 1 < bytes.size() ? digits[bits >> 6 & 63] : '=';
        *to++ = i + 2 < bytes.size() ? digits[bits & 63] : '=';
    }
}

std::optional<text> percent_decode(text a, char *to) noexcept {
    char *end = to;
    for (std::size_t i = 0; i < a.size(); i++) {
        if (a[i] != '%') {
            *end++ = a[i];
            continue;
        }
        const int high = i + 2 < a.size() ? hex_digit(a[i + 1]) : -1;
        const int low = high < 0 ? -1 : hex_digit(a[i + 2]);
        if (low < 0)
            return std::nullopt;
        *end++ = static_cast<char>(high * 16 + low);
        i += 2;
    }
    return text(to, static_cast<std::size_t>(end - to));
}

// What a lead byte says: how many bytes, its own bits, the smallest code point it may carry.
struct utf8_lead {
    std::size_t length;
    std::uint32_t bits, least;
};

static utf8_lead read_lead(std::uint8_t lead) noexcept {
    if (lead < 0x80)
        return {1, lead, 0};
    if (lead >= 0xf0 && lead < 0xf8)
        return {4, lead & 7u, 0x10000};
    if (lead >= 0xe0 && lead < 0xf0)
        return {3, lead & 15u, 0x800};
    return {lead >= 0xc0 && lead < 0xe0 ? 2u : 0u, lead & 31u, 0x80};
}

bool is_utf8(text a) noexcept {
    for (std::size_t i = 0; i < a.size();) {
        auto [length, code, least] = read_lead(static_cast<std::uint8_t>(a[i]));
        if (length == 0 || i + length > a.size())
            return false;
        for (std::size_t k = 1; k < length; k++) {
            const auto next = static_cast<std::uint8_t>(a[i + k]);
            if ((next & 0xc0) != 0x80)
                return false;
            code = code << 6 | (next & 63u);
        }
        if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return false;
        i += length;
    }
    return true;
}

bool next_parameter(text &rest, text &name, text &value) noexcept {
    while (!rest.empty()) {
        value = cut(rest, '&');
        name = cut(value, '=');
        if (!name.empty())
            return true;
    }
    return false;
}

} // namespace pausemark
