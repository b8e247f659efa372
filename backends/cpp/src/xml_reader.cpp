// Reads tags and text in order, and replaces entities.
#include "xml_reader.h"
#include <algorithm>
#include <array>

namespace pausemark::xml {

token reader::fail() noexcept {
    rest_ = {};
    return token::error;
}

// Behind the end of a declaration or comment; false when it has none.
bool reader::skip_to(text end) noexcept {
    const std::size_t at = rest_.find(end);
    if (at == text::npos)
        return false;
    rest_.remove_prefix(at + end.size());
    return true;
}

token reader::read_tag() noexcept {
    const std::size_t end = rest_.find('>');
    if (end == text::npos)
        return fail();
    text tag = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    const bool closes = tag.starts_with('/');
    if (closes)
        tag.remove_prefix(1);
    is_empty_ = !closes && tag.ends_with('/');
    if (is_empty_)
        tag.remove_suffix(1);
    name_ = tag.substr(0, tag.find_first_of(" \t\r\n"));
    if (const std::size_t colon = name_.find(':'); colon != text::npos)
        name_.remove_prefix(colon + 1);
    if (name_.empty() || tag.find('<') != text::npos)
        return fail();
    return closes ? token::close : token::open;
}

token reader::next() noexcept {
    if (is_empty_) {
        is_empty_ = false;
        return token::close;
    }
    while (!rest_.empty()) {
        const bool instruction = rest_.starts_with("<?");
        if (instruction || rest_.starts_with("<!--")) {
            if (!skip_to(instruction ? text("?>") : text("-->")))
                return fail();
            continue;
        }
        if (rest_.starts_with("<!"))
            return fail();
        if (rest_.starts_with('<'))
            return read_tag();
        raw_ = rest_.substr(0, rest_.find('<'));
        rest_.remove_prefix(raw_.size());
        return token::text;
    }
    return token::end;
}

static void add_utf8(std::string &to, std::uint32_t code) {
    if (code < 0x80) {
        to += static_cast<char>(code);
        return;
    }
    constexpr std::array<std::uint32_t, 4> leads = {0, 0xc0, 0xe0, 0xf0};
    std::size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    to += static_cast<char>(leads[more] | code >> 6 * more);
    while (more-- > 0)
        to += static_cast<char>(0x80 | (code >> 6 * more & 63));
}

// "65" or "x41", the inside of a character reference.
static std::optional<std::uint32_t> read_reference(text body) noexcept {
    const bool is_hex = body.starts_with('x');
    if (is_hex)
        body.remove_prefix(1);
    if (body.empty() || body.size() > 7)
        return std::nullopt;
    std::uint32_t code = 0;
    for (const char c : body) {
        const int digit = hex_digit(c);
        if (digit < 0 || (!is_hex && digit > 9))
            return std::nullopt;
        code = code * (is_hex ? 16 : 10) + static_cast<std::uint32_t>(digit);
    }
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return std::nullopt;
    return code;
}

static std::optional<std::uint32_t> read_entity(text body) noexcept {
    struct named {
        text name;
        std::uint32_t code;
    };
    constexpr std::array table = {named{"amp", '&'}, named{"lt", '<'}, named{"gt", '>'},
                                  named{"quot", '"'}, named{"apos", '\''}};
    if (body.starts_with('#'))
        return read_reference(body.substr(1));
    const auto found = std::ranges::find(table, body, &named::name);
    return found == table.end() ? std::nullopt : std::optional(found->code);
}

bool decode(text raw, std::string &to) {
    while (!raw.empty()) {
        const std::size_t plain = std::min(raw.find('&'), raw.size());
        to += raw.substr(0, plain);
        raw.remove_prefix(plain);
        if (raw.empty())
            return true;
        const std::size_t end = raw.find(';');
        if (end == text::npos)
            return false;
        const auto code = read_entity(raw.substr(1, end - 1));
        if (!code)
            return false;
        add_utf8(to, *code);
        raw.remove_prefix(end + 1);
    }
    return true;
}

} // namespace pausemark::xml
