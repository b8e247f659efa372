// ListObjects in both versions: one pass over the bucket's order, common prefixes skipped by
// seeking.
#include "etag.h"
#include "s3.h"
#include "store.h"
#include "xml_writer.h"
#include <algorithm>

namespace pausemark::s3 {

constexpr std::uint64_t max_keys_ceiling = 1000;

class listing final : public store::key_visitor {
  public:
    explicit listing(const request &r) : request_(r) {}

    // False when a parameter is not valid.
    [[nodiscard]] bool read_query();
    // The first key that can be listed.
    [[nodiscard]] text from() const noexcept {
        return std::max(text(after_), text(prefix_));
    }
    store::step visit(const store::listed &item, text &seek) override;
    [[nodiscard]] std::string document();

  private:
    [[nodiscard]] std::string decode(text value);
    void read_parameter(text name, text raw);
    void read_start(text name, text raw);
    void read_max_keys(text value);
    void read_token();
    void add_name(std::string &to, text name) const;
    void add_contents(const store::listed &item);
    void add_element(std::string &to, text tag, text value) const;
    void add_version_part(std::string &to) const;
    [[nodiscard]] text after_prefix(text prefix);

    const request &request_;
    bool version2_ = false, url_encoded_ = false, fetch_owner_ = false, truncated_ = false;
    bool bad_ = false, has_start_ = false, has_token_ = false;
    std::uint64_t max_keys_ = max_keys_ceiling, count_ = 0;
    std::string prefix_, delimiter_, start_, token_, after_, last_, seek_;
    std::string contents_, prefixes_;
};

// A query is a form: there '+' is a blank, unlike in a path.
std::string listing::decode(text value) {
    std::string form(value), decoded(value.size(), '\0');
    std::ranges::replace(form, '+', ' ');
    const auto plain = percent_decode(form, decoded.data());
    if (!plain || !is_utf8(*plain)) {
        bad_ = true;
        return {};
    }
    decoded.resize(plain->size());
    return decoded;
}

// The token is the hex of the last key or common prefix that was listed.
void listing::read_token() {
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

void listing::read_max_keys(text value) {
    const auto number = to_u64(value);
    bad_ = bad_ || !number || *number > INT32_MAX;
    max_keys_ = std::min(number.value_or(0), max_keys_ceiling);
}

void listing::read_parameter(text name, text raw) {
    std::string value = decode(raw);
    if (name == "list-type") {
        version2_ = value == "2";
    } else if (name == "prefix") {
        prefix_ = std::move(value);
    } else if (name == "delimiter") {
        delimiter_ = std::move(value);
    } else if (name == "max-keys") {
        read_max_keys(value);
    } else if (name == "encoding-type") {
        url_encoded_ = value == "url";
        bad_ = bad_ || !url_encoded_;
    } else if (name == "fetch-owner") {
        fetch_owner_ = value == "true";
    }
}

// start-after, continuation-token and marker depend on the version, which may come behind them.
void listing::read_start(text name, text raw) {
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

bool listing::read_query() {
    text name, value, rest = request_.query;
    while (next_parameter(rest, name, value))
        read_parameter(name, value);
    rest = request_.query;
    while (next_parameter(rest, name, value))
        read_start(name, value);
    return !bad_;
}

void listing::add_name(std::string &to, text name) const {
    if (url_encoded_)
        xml::add_url(to, name);
    else
        xml::add_escaped(to, name);
}

void listing::add_contents(const store::listed &item) {
    contents_ += "<Contents><Key>";
    add_name(contents_, item.key);
    contents_.append("</Key><LastModified>").append(view(to_iso_date(item.modified_s)));
    contents_.append("</LastModified><ETag>&quot;");
    contents_.append(etag(item.md5, item.parts).bare());
    contents_ += "&quot;</ETag><Size>";
    xml::add_u64(contents_, item.size_bytes);
    contents_ += "</Size>";
    if (!version2_ || fetch_owner_)
        contents_ += xml::owner;
    contents_ += "<StorageClass>STANDARD</StorageClass></Contents>";
}

// The first text in byte order that does not start with `prefix`. UTF-8 has no 0xff, so the last
// byte can always be raised.
text listing::after_prefix(text prefix) {
    seek_ = prefix;
    seek_.back() = static_cast<char>(static_cast<unsigned char>(seek_.back()) + 1);
    return seek_;
}

store::step listing::visit(const store::listed &item, text &seek) {
    if (!item.key.starts_with(prefix_))
        return store::step::stop;
    const std::size_t at =
        delimiter_.empty() ? text::npos : item.key.find(delimiter_, prefix_.size());
    const bool is_prefix = at != text::npos;
    const text name = is_prefix ? item.key.substr(0, at + delimiter_.size()) : item.key;
    const bool listed_before = !after_.empty() && name <= after_;
    if (!listed_before) {
        if (count_ == max_keys_) {
            truncated_ = max_keys_ > 0;
            return store::step::stop;
        }
        count_++;
        last_ = name;
    }
    if (!is_prefix) {
        if (!listed_before)
            add_contents(item);
        return store::step::next;
    }
    if (!listed_before) {
        prefixes_ += "<CommonPrefixes><Prefix>";
        add_name(prefixes_, name);
        prefixes_ += "</Prefix></CommonPrefixes>";
    }
    seek = after_prefix(name);
    return store::step::seek;
}

void listing::add_element(std::string &to, text tag, text value) const {
    to.append("<").append(tag).append(">");
    add_name(to, value);
    to.append("</").append(tag).append(">");
}

void listing::add_version_part(std::string &to) const {
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

std::string listing::document() {
    std::string to(xml::declaration);
    to.append("<ListBucketResult").append(xml::name_space).append("><Name>");
    xml::add_escaped(to, request_.bucket);
    to += "</Name>";
    add_element(to, "Prefix", prefix_);
    add_version_part(to);
    to += "<MaxKeys>";
    xml::add_u64(to, max_keys_);
    to += "</MaxKeys>";
    if (!delimiter_.empty())
        add_element(to, "Delimiter", delimiter_);
    if (url_encoded_)
        to += "<EncodingType>url</EncodingType>";
    to.append("<IsTruncated>").append(truncated_ ? "true" : "false").append("</IsTruncated>");
    to.append(contents_).append(prefixes_).append("</ListBucketResult>");
    return to;
}

void list_objects(call &c) {
    listing l(c.asked);
    if (!l.read_query())
        answer_error(c, error::invalid_argument, c.asked.path);
    else if (store::list(c.asked.bucket, l.from(), l) == store::result::no_bucket)
        answer_error(c, error::no_such_bucket, c.asked.path);
    else
        answer(c, 200).document(l.document());
}

} // namespace pausemark::s3
