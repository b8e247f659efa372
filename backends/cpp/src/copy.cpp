// CopyObject, which shares what it copies, and UploadPartCopy, which digests it.
#include "commit.h"
#include "copy_source.h"
#include "etag.h"
#include "kept.h"
#include "multipart.h"
#include "s3.h"
#include "xml_writer.h"
#include <algorithm>

namespace pausemark::s3 {

static void answer_copied(call &c, text root, const etag &tag, std::int64_t modified_s) {
    std::string xml(xml::declaration);
    xml.append("<").append(root).append(xml::name_space).append("><LastModified>");
    xml.append(view(to_iso_date(modified_s))).append("</LastModified><ETag>&quot;");
    xml.append(tag.bare()).append("&quot;</ETag></").append(root).append(">");
    answer(c, 200).document(std::move(xml));
}

// What is asked of a copy, before anybody looks whether anything is there.
struct copy_request {
    copy_source source;
    bool replaces = false;

    [[nodiscard]] error read(request &r);
};

error copy_request::read(request &r) {
    const error wrong = source.read(r.copy_source);
    if (wrong != error::none)
        return wrong;
    const text directive = r.metadata_directive;
    replaces = directive == "REPLACE";
    if (directive.data() != nullptr && !replaces && directive != "COPY")
        return error::invalid_argument;
    const error refused = check_write(r, replaces);
    if (refused != error::none)
        return refused;
    return !replaces && source.is(r.bucket, r.key) ? error::invalid_request : error::none;
}

// Those of the request; checksums are the content's and stay with it.
static kept_headers replacing(const request &r, const object &from) noexcept {
    kept_headers kept = r.kept;
    kept.metadata_count = 0;
    header item;
    for (std::size_t at = 0; from.next_metadata(at, item);) {
        if (item.name.starts_with("x-amz-checksum-"))
            kept.metadata[kept.metadata_count++] = item;
    }
    for (std::size_t i = 0; i < r.kept.metadata_count; i++)
        kept.metadata[kept.metadata_count++] = r.kept.metadata[i];
    return kept;
}

static error make_copy(call &c, object_ref &copy) {
    request &r = c.asked;
    copy_request asked;
    object_ref from;
    error wrong = asked.read(r);
    if (wrong == error::none)
        wrong = judge_write(r);
    if (wrong == error::none)
        wrong = asked.source.find(r, from);
    if (wrong != error::none)
        return wrong;
    copy = object::copy(*from, asked.replaces ? replacing(r, *from) : kept_of(*from), r.key.size());
    return copy == nullptr ? error::slow_down : error::none;
}

static void end_copy(call &c) {
    constexpr std::int64_t ns_per_s = 1'000'000'000;
    const auto &tag = *static_cast<const etag *>(c.work.get());
    if (c.change.outcome == error::none)
        answer_copied(c, "CopyObjectResult", tag, c.change.time_ns / ns_per_s);
    else
        answer_error(c, c.change.outcome, c.asked.path);
}

void copy_object(call &c) {
    object_ref copy;
    const error wrong = make_copy(c, copy);
    if (wrong != error::none) {
        answer_error(c, wrong, c.asked.path);
        return;
    }
    c.work = std::make_shared<etag>(*copy);
    c.change.kind = operation::put_object;
    c.change.conditions = conditions_of(c.asked);
    c.change.bucket = c.asked.bucket;
    c.change.key = c.asked.key;
    c.change.object = std::move(copy);
    commit_and_then(c, end_copy);
}

// [from, to), of which the header names the last byte.
struct copy_range {
    bool is_whole = true;
    std::uint64_t from = 0, to = 0;

    [[nodiscard]] bool read(text header) noexcept;
};

// A number beyond 64 bits lies beyond every source.
static std::optional<std::uint64_t> to_place(text digits) noexcept {
    constexpr std::uint64_t most = UINT64_MAX - 1;
    if (digits.empty() || digits.find_first_not_of("0123456789") != text::npos)
        return std::nullopt;
    return std::min(to_u64(digits).value_or(most), most);
}

bool copy_range::read(text header) noexcept {
    constexpr text unit = "bytes=";
    if (header.data() == nullptr)
        return true;
    if (!header.starts_with(unit))
        return false;
    text tail = header.substr(unit.size());
    const auto first = to_place(cut(tail, '-')), last = to_place(tail);
    if (!first || !last || *last < *first)
        return false;
    is_whole = false;
    from = *first;
    to = *last + 1;
    return true;
}

// The bytes are copied: they are read for the digest anyway, and so a part shares nothing.
static error cut_part(const object &from, const copy_range &range, object_ref &part) {
    static const kept_headers nothing{};
    part = object::create(nothing, range.to - range.from, 0);
    if (part == nullptr || !part->append_range(from, range.from, range.to))
        return error::slow_down;
    if (range.to - range.from == from.size_bytes() && from.parts == 0) {
        part->md5 = from.md5;
        return error::none;
    }
    md5_hasher md5;
    for (std::uint64_t at = 0; at < part->size_bytes();) {
        const text piece = part->slice(at);
        md5.add(piece);
        at += piece.size();
    }
    part->md5 = md5.finish();
    return error::none;
}

static error make_part(call &c, object_ref &part) {
    request &r = c.asked;
    copy_source source;
    copy_range range;
    object_ref from;
    error wrong = check_write(r, false);
    if (wrong == error::none)
        wrong = source.read(r.copy_source);
    if (wrong == error::none && !range.read(r.copy_range))
        wrong = error::invalid_argument;
    if (wrong == error::none)
        wrong = multipart::find(multipart::address_of(r));
    if (wrong == error::none)
        wrong = source.find(r, from);
    if (wrong != error::none)
        return wrong;
    if (range.is_whole)
        range.to = from->size_bytes();
    if (range.to > from->size_bytes())
        return error::invalid_copy_range;
    if (range.to - range.from > c.at.limits.object_bytes_max)
        return error::entity_too_large;
    return cut_part(*from, range, part);
}

void copy_part(call &c) {
    object_ref part;
    error wrong = make_part(c, part);
    if (wrong == error::none) {
        part->modified_s = c.at.wall_s();
        wrong = multipart::put_part(multipart::address_of(c.asked), c.asked.part_number, part);
    }
    if (wrong == error::none)
        answer_copied(c, "CopyPartResult", etag(*part), part->modified_s);
    else
        answer_error(c, wrong, c.asked.path);
}

} // namespace pausemark::s3
