// ListObjects in both versions.
#include "listing.h"
#include "s3.h"
#include "xml_writer.h"

namespace pausemark::s3 {

class object_listing final : public key_listing {
  public:
    explicit object_listing(const request &r) noexcept : key_listing(r, "max-keys") {}

  private:
    [[nodiscard]] bool read_query() override;
    [[nodiscard]] std::string document() override;
    void read_parameter(text name, text raw);
    void read_start(text name, text raw);
    void read_token();
    void add_item(const store::listed &item) override;
    void add_version_part(std::string &to) const;

    bool version2_ = false, fetch_owner_ = false, has_start_ = false, has_token_ = false;
    std::string start_, token_;
};

// The token is the hex of the last key or common prefix that was listed.
void object_listing::read_token() {
    has_token_ = true;
    after_.clear();
    if (token_.empty() || token_.size() % 2 != 0 ||
        token_.size() > 2 * (store::key_bytes_max + 1)) {
        bad_ = true;
        return;
    }
    for (std::size_t i = 0; i < token_.size(); i += 2) {
        const int high = hex_digit(token_[i]), low = hex_digit(token_[i + 1]);
        bad_ = bad_ || high < 0 || low < 0;
        after_ += static_cast<char>(high * 16 + low);
    }
}

void object_listing::read_parameter(text name, text raw) {
    const std::string value = decode(raw);
    if (read_shared(name, value))
        return;
    if (name == "list-type")
        version2_ = value == "2";
    else if (name == "fetch-owner")
        fetch_owner_ = value == "true";
}

// start-after, continuation-token and marker depend on the version, which may come behind them.
void object_listing::read_start(text name, text raw) {
    if (name == (version2_ ? text("start-after") : text("marker"))) {
        start_ = decode(raw);
        has_start_ = true;
        if (!has_token_)
            after_ = start_;
    } else if (version2_ && name == "continuation-token") {
        token_ = decode(raw);
        read_token();
    }
}

bool object_listing::read_query() {
    text name, value, rest = request_.query;
    while (next_parameter(rest, name, value))
        read_parameter(name, value);
    rest = request_.query;
    while (next_parameter(rest, name, value))
        read_start(name, value);
    return !bad_;
}

void object_listing::add_item(const store::listed &item) {
    items_ += "<Contents>";
    add_element(items_, "Key", item.key);
    add_facts(items_, item);
    if (!version2_ || fetch_owner_)
        items_ += xml::owner;
    items_ += "<StorageClass>STANDARD</StorageClass></Contents>";
}

void object_listing::add_version_part(std::string &to) const {
    if (!version2_) {
        add_element(to, "Marker", start_);
        if (truncated_)
            add_element(to, "NextMarker", last_);
        return;
    }
    if (has_start_)
        add_element(to, "StartAfter", start_);
    if (has_token_)
        add_element(to, "ContinuationToken", token_);
    if (truncated_) {
        std::string token(2 * last_.size(), '\0');
        put_hex(token.data(), {reinterpret_cast<const std::uint8_t *>(last_.data()), last_.size()});
        add_element(to, "NextContinuationToken", token);
    }
    to += "<KeyCount>";
    xml::add_u64(to, count_);
    to += "</KeyCount>";
}

std::string object_listing::document() {
    std::string to(xml::declaration);
    to.append("<ListBucketResult").append(xml::name_space).append("><Name>");
    xml::add_escaped(to, request_.bucket);
    to += "</Name>";
    add_element(to, "Prefix", prefix_);
    add_version_part(to);
    add_page_part(to, "MaxKeys");
    to.append(items_).append(prefixes_).append("</ListBucketResult>");
    return to;
}

void list_objects(call &c) {
    object_listing(c.asked).answer_page(c);
}

} // namespace pausemark::s3
