// Sorted once, so that a head full of fields and a list full of names cost no more than a search
// each.
#include "sent_fields.h"
#include <algorithm>

namespace pausemark {

static bool is_name_before(text a, text b) noexcept {
    return std::ranges::lexicographical_compare(a, b, {}, lower, lower);
}

bool sent_fields::is_before(const field &a, const field &b) noexcept {
    if (is_name_before(a.name, b.name))
        return true;
    return a.place < b.place && !is_name_before(b.name, a.name);
}

void sent_fields::add(text name, text value) noexcept {
    fields_.push_back({name, value, fields_.size(), false});
}

void sent_fields::sort() noexcept {
    std::ranges::sort(fields_, is_before);
}

std::vector<sent_fields::field>::const_iterator sent_fields::first_of(text name) const noexcept {
    return std::ranges::lower_bound(fields_, name, is_name_before, &field::name);
}

text sent_fields::find(text name) const noexcept {
    const auto first = first_of(name);
    return first != fields_.end() && is_nocase(first->name, name) ? first->value : text();
}

static void put_folded(canonical_writer &to, text value) noexcept {
    char before = '\0';
    for (const char c : trim(value)) {
        if (c != ' ' || before != ' ')
            to.put(c);
        before = c;
    }
}

// A field is written once, also when its name comes again in another case: the cost of a head stays
// that of its bytes.
bool sent_fields::put_signed(canonical_writer &to, text signed_names) noexcept {
    while (!signed_names.empty()) {
        const text name = cut(signed_names, ';');
        auto at = fields_.begin() + (first_of(name) - fields_.cbegin());
        if (at == fields_.end() || at->is_signed || !is_nocase(at->name, name))
            return false;
        for (const char c : name)
            to.put(lower(c));
        for (char before = ':'; at != fields_.end() && is_nocase(at->name, name); at++) {
            to.put(before);
            put_folded(to, at->value);
            at->is_signed = true;
            before = ',';
        }
        to.put('\n');
    }
    return true;
}

bool sent_fields::are_covered() const noexcept {
    return std::ranges::all_of(fields_, [](const field &f) {
        return f.is_signed || (!is_nocase(f.name, "host") && !starts_nocase(f.name, "x-amz-"));
    });
}

} // namespace pausemark
