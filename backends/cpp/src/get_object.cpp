// GET and HEAD of an object: preconditions, one range, the head, and where the body comes from.
#include "etag.h"
#include "kept.h"
#include "s3.h"
#include "store.h"
#include <algorithm>
#include <cstdio>

namespace pausemark::s3 {

enum class extent { whole, part, impossible };
struct range {
    extent kind;
    std::uint64_t from, to;
};

// One range; a malformed one is ignored, and so is a list of several (as MinIO and S3 do).
static range read_range(text header, std::uint64_t size) noexcept {
    constexpr text unit = "bytes=";
    const range whole{extent::whole, 0, size};
    if (!starts_nocase(header, unit) || header.find('-') == text::npos)
        return whole;
    text tail = header.substr(unit.size());
    const text head = cut(tail, '-');
    const auto last = to_u64(tail);
    if (head.empty()) {
        if (!last)
            return whole;
        const bool impossible = *last == 0 || size == 0;
        return {impossible ? extent::impossible : extent::part, *last < size ? size - *last : 0,
                size};
    }
    const auto first = to_u64(head);
    if (!first || (!tail.empty() && !last) || last.value_or(UINT64_MAX) < *first)
        return whole;
    return {*first >= size ? extent::impossible : extent::part, *first,
            last && *last < size ? *last + 1 : size};
}

// Checksums are of the whole object, so they are told with nothing less, and to who asks.
static void put_kept(answer &a, const object &o, const kept_values &overrides,
                     bool tells_checksums) {
    const kept_values kept = o.kept();
    a.with("Accept-Ranges", "bytes");
    for (std::size_t i = 0; i < kept_count; i++) {
        const text told = overrides.all()[i].empty() ? kept.all()[i] : overrides.all()[i];
        if (!told.empty())
            a.with(title_of(static_cast<kept_header>(i)).shown, told);
    }
    header metadatum;
    for (std::size_t at = 0; o.next_metadata(at, metadatum);) {
        if (tells_checksums || !metadatum.name.starts_with("x-amz-checksum-"))
            a.with(metadatum.name, metadatum.value);
    }
}

static void put_content_range(answer &a, const range &part, std::uint64_t size) {
    char line[72]; // "bytes ", three numbers of 20 digits, two separators
    const int n = std::snprintf(line, sizeof line, "bytes %ju-%ju/%ju", std::uintmax_t{part.from},
                                std::uintmax_t{part.to - 1}, std::uintmax_t{size});
    a.with("Content-Range", {line, static_cast<std::size_t>(n)});
}

static void answer_object(call &c, const object_ref &o) {
    const request &r = c.asked;
    const etag tag(*o);
    const http_date modified = to_http_date(o->modified_s);
    const unsigned refused =
        precondition({r.if_match, r.if_none_match, r.if_modified_since, r.if_unmodified_since}, *o);
    if (refused == 412) {
        answer_error(c, error::precondition_failed, r.path);
        return;
    }
    if (refused == 304) {
        answer(c, 304).with("ETag", tag.quoted()).with("Last-Modified", view(modified)).empty();
        return;
    }
    range part{extent::whole, 0, o->size_bytes()};
    if (!r.range.empty() && (r.if_range.data() == nullptr || r.if_range == tag.quoted()))
        part = read_range(r.range, o->size_bytes());
    if (part.kind == extent::impossible) {
        answer_error(c, error::invalid_range, r.path);
        return;
    }
    answer a(c, part.kind == extent::part ? 206 : 200);
    a.with("ETag", tag.quoted()).with("Last-Modified", view(modified));
    put_kept(a, *o, r.overrides,
             part.kind == extent::whole && is_nocase(r.checksum_mode, "ENABLED"));
    if (part.kind == extent::part)
        put_content_range(a, part, o->size_bytes());
    a.content(o, part.from, part.to);
}

// A control character could end its header and begin another.
static bool are_valid(const kept_values &overrides) noexcept {
    const auto is_control = [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; };
    return std::ranges::none_of(overrides.all(),
                                [&](text value) { return std::ranges::any_of(value, is_control); });
}

void get_object(call &c) {
    if (!are_valid(c.asked.overrides)) {
        answer_error(c, error::invalid_argument, c.asked.path);
        return;
    }
    const auto [outcome, found] = store::get(c.asked.bucket, c.asked.key);
    if (outcome == store::result::ok)
        answer_object(c, found);
    else if (outcome == store::result::no_key)
        answer_error(c, error::no_such_key, c.asked.path);
    else
        answer_error(c, error::no_such_bucket, c.asked.path);
}

} // namespace pausemark::s3
