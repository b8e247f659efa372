// ListMultipartUploads: by key, then by id.
#include "date.h"
#include "listing.h"
#include "multipart.h"
#include "s3.h"
#include "xml_writer.h"

namespace pausemark::s3 {

class upload_listing final : public listing {
  public:
    explicit upload_listing(const request &r) noexcept : listing(r, "max-uploads") {}

    // False when a parameter is not valid.
    [[nodiscard]] bool read_query();
    void fill();
    [[nodiscard]] std::string document();

  private:
    [[nodiscard]] bool is_before(const multipart::draft &d) const noexcept;
    void add_upload(const multipart::draft &d);

    std::string id_marker_, last_id_;
};

bool upload_listing::read_query() {
    return read_marked_query("upload-id-marker", id_marker_);
}

// A key marker alone stands behind every upload of its key.
bool upload_listing::is_before(const multipart::draft &d) const noexcept {
    if (after_.empty() || d.key != after_)
        return d.key < after_;
    return id_marker_.empty() || d.id <= id_marker_;
}

void upload_listing::add_upload(const multipart::draft &d) {
    last_id_ = d.id;
    items_ += "<Upload>";
    add_element(items_, "Key", d.key);
    items_.append("<UploadId>").append(d.id).append("</UploadId>");
    items_.append(xml::initiator).append(xml::owner);
    items_.append("<StorageClass>STANDARD</StorageClass><Initiated>");
    items_.append(view(to_iso_date(d.initiated_s))).append("</Initiated></Upload>");
}

void upload_listing::fill() {
    std::string seek;
    for (const auto &d : multipart::list(request_.bucket)) {
        if (d->key < prefix_ || d->key < seek)
            continue;
        const fate where = place(d->key, is_before(*d));
        if (where == fate::stop)
            return;
        if (where == fate::listed)
            add_upload(*d);
        if (where != fate::prefix)
            continue;
        last_id_.clear();
        seek = after_prefix();
    }
}

std::string upload_listing::document() {
    std::string to(xml::declaration);
    to.append("<ListMultipartUploadsResult").append(xml::name_space).append("><Bucket>");
    xml::add_escaped(to, request_.bucket);
    to += "</Bucket>";
    add_element(to, "KeyMarker", after_);
    to += "<UploadIdMarker>";
    xml::add_escaped(to, id_marker_);
    to += "</UploadIdMarker>";
    if (truncated_) {
        add_element(to, "NextKeyMarker", last_);
        to.append("<NextUploadIdMarker>").append(last_id_).append("</NextUploadIdMarker>");
    }
    add_element(to, "Prefix", prefix_);
    add_page_part(to, "MaxUploads");
    to.append(items_).append(prefixes_).append("</ListMultipartUploadsResult>");
    return to;
}

void list_uploads(call &c) {
    upload_listing l(c.asked);
    if (!l.read_query()) {
        answer_error(c, error::invalid_argument, c.asked.path);
    } else if (!store::has_bucket(c.asked.bucket)) {
        answer_error(c, error::no_such_bucket, c.asked.path);
    } else {
        l.fill();
        answer(c, 200).document(l.document());
    }
}

} // namespace pausemark::s3
