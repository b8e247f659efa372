// ListObjectVersions where nothing is ever versioned: each object once, as the null version.
#include "listing.h"
#include "s3.h"
#include "xml_writer.h"

namespace pausemark::s3 {

class version_listing final : public key_listing {
  public:
    explicit version_listing(const request &r) noexcept : key_listing(r, "max-keys") {}

  private:
    [[nodiscard]] bool read_query() override;
    [[nodiscard]] std::string document() override;
    void add_item(const store::listed &item) override;

    std::string version_marker_;
};

// A version marker changes nothing: behind the one version of its key stands the next key.
bool version_listing::read_query() {
    return read_marked_query("version-id-marker", version_marker_);
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
    version_listing(c.asked).answer_page(c);
}

} // namespace pausemark::s3
