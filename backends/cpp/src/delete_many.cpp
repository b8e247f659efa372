// POST ?delete: parse the whole list first, so that a malformed one deletes nothing.
#include "call.h"
#include "store.h"
#include "xml_reader.h"
#include "xml_writer.h"
#include <vector>

namespace pausemark {

class key_list {
  public:
    // False when the document is malformed or not a key list.
    [[nodiscard]] bool read(text document);
    [[nodiscard]] const std::vector<std::string> &keys() const noexcept {
        return keys_;
    }
    [[nodiscard]] bool quiet() const noexcept {
        return quiet_;
    }
    [[nodiscard]] bool has_version() const noexcept {
        return has_version_;
    }

  private:
    static constexpr std::size_t keys_max = 1000, depth_max = 4;
    [[nodiscard]] bool open(text name);
    [[nodiscard]] bool close(text name);
    [[nodiscard]] bool read_text(text raw);

    std::vector<std::string> keys_;
    std::vector<text> path_; // the names of the open elements
    bool quiet_ = false, has_version_ = false, seen_root_ = false;
};

bool key_list::open(text name) {
    if (path_.size() == depth_max || (path_.empty() && (seen_root_ || name != "Delete")))
        return false;
    seen_root_ = true;
    path_.push_back(name);
    if (path_.size() == 2 && name == "Object") {
        if (keys_.size() == keys_max)
            return false;
        keys_.emplace_back();
    }
    has_version_ = has_version_ || (path_.size() == 3 && name == "VersionId");
    return true;
}

bool key_list::close(text name) {
    if (path_.empty() || path_.back() != name)
        return false;
    path_.pop_back();
    return path_.size() != 1 || name != "Object" || !keys_.back().empty();
}

bool key_list::read_text(text raw) {
    if (path_.size() == 2 && path_[1] == "Quiet")
        quiet_ = raw == "true";
    if (path_.size() != 3 || path_[2] != "Key")
        return true;
    return !keys_.empty() && xml::decode(raw, keys_.back()); // a comment may split the text
}

bool key_list::read(text document) {
    xml::reader reader(document);
    for (;;) {
        bool good = true;
        switch (reader.next()) {
        case xml::token::open:
            good = open(reader.name());
            break;
        case xml::token::close:
            good = close(reader.name());
            break;
        case xml::token::text:
            good = read_text(reader.raw());
            break;
        case xml::token::end:
            return path_.empty() && !keys_.empty();
        case xml::token::error:
            return false;
        }
        if (!good)
            return false;
    }
}

static void delete_one(text bucket, text key, bool quiet, std::string &xml) {
    if (key.size() > store::key_bytes_max || !is_utf8(key)) {
        const error_text &e = describe(error::key_too_long);
        xml += "<Error><Key>";
        xml::add_escaped(xml, key);
        xml.append("</Key><Code>").append(e.code).append("</Code><Message>");
        xml.append(e.message).append("</Message></Error>");
        return;
    }
    (void)store::remove(bucket, key); // a key that is not there counts as deleted
    if (quiet)
        return;
    xml += "<Deleted><Key>";
    xml::add_escaped(xml, key);
    xml += "</Key></Deleted>";
}

void delete_many(call &c, const object &body) {
    std::string document;
    document.reserve(static_cast<std::size_t>(body.size_bytes()));
    for (std::uint64_t at = 0; at < body.size_bytes(); at = document.size())
        document += body.slice(at);
    key_list list;
    if (!list.read(document)) {
        answer_error(c, error::malformed_xml, c.asked.path);
        return;
    }
    if (list.has_version()) {
        answer_error(c, error::not_implemented, c.asked.path);
        return;
    }
    std::string xml(xml::declaration);
    xml.append("<DeleteResult").append(xml::name_space).append(">");
    for (const std::string &key : list.keys())
        delete_one(c.asked.bucket, key, list.quiet(), xml);
    xml += "</DeleteResult>";
    answer(c, 200).document(std::move(xml));
}

} // namespace pausemark
