// The two ways of escaping.
#include "xml_writer.h"

namespace pausemark::xml {

constexpr text digits = "0123456789ABCDEF";

static text named_escape(char c) noexcept {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&apos;";
    case '\r':
        return "&#13;";
    default:
        return {};
    }
}

void add_escaped(std::string &to, text t) {
    for (const char c : t) {
        const text escape = named_escape(c);
        const auto byte = static_cast<unsigned char>(c);
        if (!escape.empty()) {
            to += escape;
        } else if (byte < 0x20 && c != '\t' && c != '\n') {
            to += "&#x";
            to += digits[byte >> 4];
            to += digits[byte & 15];
            to += ';';
        } else {
            to += c;
        }
    }
}

static bool is_unreserved(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           text("-_.~/").find(c) != text::npos;
}

void add_url(std::string &to, text t) {
    for (const char c : t) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_unreserved(c)) {
            to += c;
            continue;
        }
        to += '%';
        to += digits[byte >> 4];
        to += digits[byte & 15];
    }
}

void add_u64(std::string &to, std::uint64_t value) {
    char number[20];
    to += put_u64(number, value);
}

} // namespace pausemark::xml
