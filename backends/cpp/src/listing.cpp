// One pass over an order of names, common prefixes skipped by seeking.
#include "listing.h"
#include "date.h"
#include "etag.h"
#include "s3.h"
#include "xml_writer.h"
#include <algorithm>

namespace pausemark::s3 {

std::optional<std::string> decode_form(text value) {
    std::string form(value), decoded(value.size(), '\0');
    std::ranges::replace(form, '+', ' ');
    const auto plain = percent_decode(form, decoded.data());
    if (!plain || !is_utf8(*plain))
        return std::nullopt;
    decoded.resize(plain->size());
    return decoded;
}

std::optional<std::uint64_t> read_page_items(text value) noexcept {
    const auto number = to_u64(value);
    if (!number || *number > INT32_MAX)
        return std::nullopt;
    return std::min(*number, page_items_max);
}

std::string listing::decode(text value) {
    auto decoded = decode_form(value);
    bad_ = bad_ || !decoded;
    return std::move(decoded).value_or(std::string());
}

bool listing::read_shared(text name, const std::string &value) {
    if (name == "prefix") {
        prefix_ = value;
    } else if (name == "delimiter") {
        delimiter_ = value;
    } else if (name == "encoding-type") {
        url_encoded_ = value == "url";
        bad_ = bad_ || !url_encoded_;
    } else if (name == max_name_) {
        const auto items = read_page_items(value);
        bad_ = bad_ || !items;
        max_items_ = items.value_or(0);
    } else {
        return false;
    }
    return true;
}

bool listing::read_marked_query(text second_name, std::string &second) {
    text name, raw, rest = request_.query;
    while (next_parameter(rest, name, raw)) {
        std::string value = decode(raw);
        if (read_shared(name, value))
            continue;
        if (name == "key-marker")
            after_ = std::move(value);
        else if (name == second_name)
            second = std::move(value);
    }
    return !bad_;
}

// The first text in byte order that does not start with the last prefix. UTF-8 has no 0xff, so the
// last byte can always be raised.
text listing::after_prefix() {
    seek_.back() = static_cast<char>(static_cast<unsigned char>(seek_.back()) + 1);
    return seek_;
}

listing::fate listing::place(text key, bool before) {
    if (!key.starts_with(prefix_))
        return fate::stop;
    const std::size_t at = delimiter_.empty() ? text::npos : key.find(delimiter_, prefix_.size());
    const bool is_prefix = at != text::npos;
    const text name = is_prefix ? key.substr(0, at + delimiter_.size()) : key;
    const bool passed = is_prefix ? !after_.empty() && name <= after_ : before;
    if (!passed) {
        if (count_ == max_items_) {
            truncated_ = max_items_ > 0;
            return fate::stop;
        }
        count_++;
        last_ = name;
    }
    if (!is_prefix)
        return passed ? fate::passed : fate::listed;
    seek_ = name;
    if (!passed) {
        prefixes_ += "<CommonPrefixes><Prefix>";
        add_name(prefixes_, name);
        prefixes_ += "</Prefix></CommonPrefixes>";
    }
    return fate::prefix;
}

store::step key_listing::visit(const store::listed &item, text &seek) {
    switch (place(item.key, !after_.empty() && item.key <= after_)) {
    case fate::stop:
        return store::step::stop;
    case fate::prefix:
        seek = after_prefix();
        return store::step::seek;
    case fate::listed:
        add_item(item);
        break;
    case fate::passed:
        break;
    }
    return store::step::next;
}

void key_listing::answer_page(call &c) {
    if (!read_query())
        answer_error(c, error::invalid_argument, c.asked.path);
    else if (store::list(c.asked.bucket, from(), *this) == store::result::no_bucket)
        answer_error(c, error::no_such_bucket, c.asked.path);
    else
        answer(c, 200).document(document());
}

void listing::add_name(std::string &to, text name) const {
    if (url_encoded_)
        xml::add_url(to, name);
    else
        xml::add_escaped(to, name);
}

void listing::add_element(std::string &to, text tag, text value) const {
    to.append("<").append(tag).append(">");
    add_name(to, value);
    to.append("</").append(tag).append(">");
}

void listing::add_page_part(std::string &to, text max_tag) const {
    to.append("<").append(max_tag).append(">");
    xml::add_u64(to, max_items_);
    to.append("</").append(max_tag).append(">");
    if (!delimiter_.empty())
        add_element(to, "Delimiter", delimiter_);
    if (url_encoded_)
        to += "<EncodingType>url</EncodingType>";
    to.append("<IsTruncated>").append(truncated_ ? "true" : "false").append("</IsTruncated>");
}

void key_listing::add_facts(std::string &to, const store::listed &item) {
    to.append("<LastModified>").append(view(to_iso_date(item.modified_s)));
    to.append("</LastModified><ETag>&quot;").append(etag(item.md5, item.parts).bare());
    to += "&quot;</ETag><Size>";
    xml::add_u64(to, item.size_bytes);
    to += "</Size>";
}

} // namespace pausemark::s3
