// ListObjectVersions where nothing is ever versioned: each object once, as the null version.
#include "listing.h"
#include "s3.h"
#include "xml_writer.h"

namespace pausemark::s3 {

class version_listing final : public key_listing {
  public:
    explicit version_listing(const request &r) noexcept : key_listing(r, "max-keys") {}

    // False when a parameter is not valid.
    [[nodiscard]] bool read_query();
    [[nodiscard]] std::string document();

  private:
    void add_item(const store::listed &item) override;

    std::string version_marker_;
};

// A version marker changes nothing: behind the one version of its key stands the next key.
bool version_listing::read_query() {
    text name, raw, rest = request_.query;
    while (next_parameter(rest, name, raw)) {
        std::string value = decode(raw);
        if (read_shared(name, value))
            continue;
        if (name == "key-marker")
            after_ = std::move(value);
        else if (name == "version-id-marker")
            version_marker_ = std::move(value);
    }
    return !bad_;
}

void version_listing::add_item(const store::listed &item) {
    items_ += "<Version>";
    add_element(items_, "Key", item.key);
    items_ += "<VersionId>null</VersionId><IsLatest>true</IsLatest>";
    add_facts(items_, item);
    items_.append(xml::owner).append("<StorageClass>STANDARD</StorageClass></Version>");
}

std::string version_listing::document() {
    std::string to(xml::declaration);
    to.append("<ListVersionsResult").append(xml::name_space).append("><Name>");
    xml::add_escaped(to, request_.bucket);
    to += "</Name>";
    add_element(to, "Prefix", prefix_);
    add_element(to, "KeyMarker", after_);
    to += "<VersionIdMarker>";
    xml::add_escaped(to, version_marker_);
    to += "</VersionIdMarker>";
    if (truncated_) {
        add_element(to, "NextKeyMarker", last_);
        to += "<NextVersionIdMarker>null</NextVersionIdMarker>";
    }
    add_page_part(to, "MaxKeys");
    to.append(items_).append(prefixes_).append("</ListVersionsResult>");
    return to;
}

void list_versions(call &c) {
    version_listing l(c.asked);
    if (!l.read_query())
        answer_error(c, error::invalid_argument, c.asked.path);
    else if (store::list(c.asked.bucket, l.from(), l) == store::result::no_bucket)
        answer_error(c, error::no_such_bucket, c.asked.path);
    else
        answer(c, 200).document(l.document());
}

} // namespace pausemark::s3
