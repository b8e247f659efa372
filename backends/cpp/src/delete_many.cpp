// POST ?delete: parse the whole list first, so that a malformed one deletes nothing.
#include "commit.h"
#include "xml_reader.h"
#include "xml_writer.h"
#include <algorithm>
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

// The keys, the writes of those under way, and the answer so far. A batch of the log's size at a
// time, so that one request does not fill the queue.
struct deletion {
    static constexpr std::size_t writes_max = 64;
    key_list list;
    std::array<write, writes_max> writes;
    std::size_t at = 0; // the first key that is not answered yet
    std::string xml;
};

static void add_outcome(deletion &d, text key, error outcome) {
    if (outcome != error::none) {
        const error_text &e = describe(outcome);
        d.xml += "<Error><Key>";
        xml::add_escaped(d.xml, key);
        d.xml.append("</Key><Code>").append(e.code).append("</Code><Message>");
        d.xml.append(e.message).append("</Message></Error>");
    } else if (!d.list.quiet()) {
        d.xml += "<Deleted><Key>";
        xml::add_escaped(d.xml, key);
        d.xml += "</Key></Deleted>";
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
        add_outcome(d, keys[i], d.writes[i].outcome);
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
    std::string document;
    document.reserve(static_cast<std::size_t>(body.size_bytes()));
    for (std::uint64_t at = 0; at < body.size_bytes(); at = document.size())
        document += body.slice(at);
    auto d = std::make_shared<deletion>();
    if (!d->list.read(document)) {
        answer_error(c, error::malformed_xml, c.asked.path);
        return;
    }
    if (d->list.has_version()) {
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
