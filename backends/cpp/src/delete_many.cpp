// POST ?delete: parse the whole list first, so that a malformed one deletes nothing.
#include "commit.h"
#include "xml_outline.h"
#include "xml_writer.h"
#include <algorithm>

namespace pausemark {

class key_list final : xml::outline {
  public:
    key_list() noexcept : outline("Delete") {}
    // False when the document is malformed or not a key list.
    [[nodiscard]] bool read(text document) {
        return walk(document) && !keys_.empty();
    }
    [[nodiscard]] const std::vector<std::string> &keys() const noexcept {
        return keys_;
    }
    [[nodiscard]] bool quiet() const noexcept {
        return quiet_;
    }
    // Whether the key was named with its only version, "null".
    [[nodiscard]] bool names_version(std::size_t at) const noexcept {
        return names_version_[at];
    }
    [[nodiscard]] bool asks_for_more() const noexcept {
        return asks_for_more_;
    }

  private:
    static constexpr std::size_t keys_max = 1000;
    bool open() override;
    bool close() override;
    bool read_text(text raw) override;

    std::vector<std::string> keys_;
    std::vector<bool> names_version_;
    bool quiet_ = false, is_null_version_ = false, asks_for_more_ = false;
};

bool key_list::open() {
    if (is_at(2, "Object")) {
        if (keys_.size() == keys_max)
            return false;
        keys_.emplace_back();
        names_version_.push_back(false);
    }
    is_null_version_ = false;
    // Conditions are not here; one that is passed over would delete what it protects.
    asks_for_more_ =
        asks_for_more_ || is_at(3, "ETag") || is_at(3, "LastModifiedTime") || is_at(3, "Size");
    return true;
}

bool key_list::close() {
    if (is_at(3, "VersionId") && !keys_.empty()) {
        names_version_.back() = is_null_version_;
        asks_for_more_ = asks_for_more_ || !is_null_version_;
    }
    return !is_at(2, "Object") || !keys_.back().empty();
}

bool key_list::read_text(text raw) {
    if (is_at(2, "Quiet"))
        quiet_ = raw == "true";
    if (is_at(3, "VersionId"))
        is_null_version_ = raw == "null";
    if (!is_at(3, "Key"))
        return true;
    return !keys_.empty() && xml::decode(raw, keys_.back()); // a comment may split the text
}

// The keys, the writes of those under way, and the answer so far. A batch of the log's size at a
// time, so that one request does not fill the queue.
struct deletion {
    static constexpr std::size_t writes_max = 64;
    key_list list;
    std::array<write, writes_max> writes;
    std::size_t at = 0; // the first key that is not answered yet
    std::string xml;
};

static void add_key(deletion &d, std::size_t at) {
    d.xml += "<Key>";
    xml::add_escaped(d.xml, d.list.keys()[at]);
    d.xml += "</Key>";
    if (d.list.names_version(at))
        d.xml += "<VersionId>null</VersionId>";
}

static void add_outcome(deletion &d, std::size_t at, error outcome) {
    if (outcome != error::none) {
        const error_text &e = describe(outcome);
        d.xml += "<Error>";
        add_key(d, at);
        d.xml.append("<Code>").append(e.code).append("</Code><Message>");
        xml::add_escaped(d.xml, e.message);
        d.xml += "</Message></Error>";
    } else if (!d.list.quiet()) {
        d.xml += "<Deleted>";
        add_key(d, at);
        d.xml += "</Deleted>";
    }
}

static std::span<const std::string> next_keys(const deletion &d) noexcept {
    const auto rest = std::span(d.list.keys()).subspan(d.at);
    return rest.first(std::min(rest.size(), deletion::writes_max));
}

static void begin_some(call &c, deletion &d) {
    const auto keys = next_keys(d);
    for (std::size_t i = 0; i < keys.size(); i++) {
        write &w = d.writes[i] = {};
        w.kind = operation::delete_object;
        w.bucket = c.asked.bucket;
        w.key = keys[i];
        w.outcome = error::key_too_long;
        if (w.key.size() <= store::key_bytes_max && is_utf8(w.key))
            (void)commit(c, w); // c.waiting tells
    }
}

static void end_some(deletion &d) {
    const auto keys = next_keys(d);
    for (std::size_t i = 0; i < keys.size(); i++)
        add_outcome(d, d.at + i, d.writes[i].outcome);
    d.at += keys.size();
}

static void go_on(call &c) {
    auto &d = *static_cast<deletion *>(c.work.get());
    end_some(d);
    while (d.at < d.list.keys().size()) {
        begin_some(c, d);
        if (c.waiting > 0)
            return;
        end_some(d);
    }
    d.xml += "</DeleteResult>";
    answer(c, 200).document(std::move(d.xml));
}

void delete_many(call &c, const object &body) {
    auto d = std::make_shared<deletion>();
    if (!d->list.read(body.whole())) {
        answer_error(c, error::malformed_xml, c.asked.path);
        return;
    }
    if (d->list.asks_for_more()) {
        answer_error(c, error::not_implemented, c.asked.path);
        return;
    }
    d->xml.append(xml::declaration).append("<DeleteResult").append(xml::name_space).append(">");
    c.work = d;
    c.then = go_on;
    begin_some(c, *d);
    if (c.waiting == 0)
        go_on(c);
}

} // namespace pausemark
