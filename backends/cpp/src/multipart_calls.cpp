// The small requests of multipart uploads: begin, abort, and the listing of parts.
#include "etag.h"
#include "listing.h"
#include "multipart.h"
#include "s3.h"
#include "xml_writer.h"

namespace pausemark::s3 {

static void add_upload(std::string &xml, const request &r, text id) {
    xml += "<Bucket>";
    xml::add_escaped(xml, r.bucket);
    xml += "</Bucket><Key>";
    xml::add_escaped(xml, r.key);
    xml.append("</Key><UploadId>").append(id).append("</UploadId>");
}

static error begin(call &c, std::string &id) {
    request &r = c.asked;
    const error wrong = check_write(r, true); // conditions are the completion's
    if (wrong != error::none)
        return wrong;
    if (!store::has_bucket(r.bucket))
        return error::no_such_bucket;
    object_ref headers = object::create(r.kept, 0, r.key.size());
    if (headers == nullptr)
        return error::slow_down;
    return multipart::begin(r.bucket, r.key, std::move(headers), c.at.wall_s(), id);
}

void begin_upload(call &c) {
    std::string id;
    const error wrong = begin(c, id);
    if (wrong != error::none) {
        answer_error(c, wrong, c.asked.path);
        return;
    }
    std::string xml(xml::declaration);
    xml.append("<InitiateMultipartUploadResult").append(xml::name_space).append(">");
    add_upload(xml, c.asked, id);
    xml += "</InitiateMultipartUploadResult>";
    answer(c, 200).document(std::move(xml));
}

void abort_upload(call &c) {
    const error wrong = multipart::abort(multipart::address_of(c.asked));
    if (wrong == error::none)
        answer(c, 204).empty();
    else
        answer_error(c, wrong, c.asked.path);
}

struct parts_query {
    std::uint64_t parts_max = page_items_max, after = 0;

    // False when a parameter is not valid.
    [[nodiscard]] bool read(text query);
};

bool parts_query::read(text query) {
    text name, value;
    while (next_parameter(query, name, value)) {
        if (name == "max-parts") {
            const auto items = read_page_items(value);
            if (!items)
                return false;
            parts_max = *items;
        } else if (name == "part-number-marker") {
            const auto number = to_u64(value);
            if (!number || *number > INT32_MAX)
                return false;
            after = *number;
        }
    }
    return true;
}

static void add_number(std::string &xml, text tag, std::uint64_t value) {
    xml.append("<").append(tag).append(">");
    xml::add_u64(xml, value);
    xml.append("</").append(tag).append(">");
}

static void add_part(std::string &xml, std::uint16_t number, const object &part) {
    xml += "<Part>";
    add_number(xml, "PartNumber", number);
    xml.append("<LastModified>").append(view(to_iso_date(part.modified_s)));
    xml.append("</LastModified><ETag>&quot;").append(etag(part).bare()).append("&quot;</ETag>");
    add_number(xml, "Size", part.size_bytes());
    xml += "</Part>";
}

static std::string parts_document(const request &r, const parts_query &asked,
                                  const multipart::parts_page &page) {
    std::string xml(xml::declaration);
    xml.append("<ListPartsResult").append(xml::name_space).append(">");
    add_upload(xml, r, r.upload_id);
    xml.append(xml::initiator).append(xml::owner).append("<StorageClass>STANDARD</StorageClass>");
    add_number(xml, "PartNumberMarker", asked.after);
    if (page.is_truncated)
        add_number(xml, "NextPartNumberMarker", page.parts.back().first);
    add_number(xml, "MaxParts", asked.parts_max);
    xml.append("<IsTruncated>").append(page.is_truncated ? "true" : "false");
    xml += "</IsTruncated>";
    for (const auto &[number, part] : page.parts)
        add_part(xml, number, *part);
    return xml += "</ListPartsResult>";
}

void list_parts(call &c) {
    const request &r = c.asked;
    parts_query asked;
    multipart::parts_page page;
    error wrong = asked.read(r.query) ? error::none : error::invalid_argument;
    if (wrong == error::none)
        wrong = multipart::list_parts(multipart::address_of(r), asked.after, asked.parts_max, page);
    if (wrong == error::none)
        answer(c, 200).document(parts_document(r, asked, page));
    else
        answer_error(c, wrong, r.path);
}

} // namespace pausemark::s3
