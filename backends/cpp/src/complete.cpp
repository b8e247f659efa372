// CompleteMultipartUpload: the parts that the client names become one object, of which no byte is
// copied.
#include "commit.h"
#include "etag.h"
#include "kept.h"
#include "multipart.h"
#include "xml_outline.h"
#include "xml_writer.h"
#include <algorithm>

namespace pausemark {

class part_list final : xml::outline {
  public:
    struct item {
        std::string number, tag;
    };

    part_list() noexcept : outline("CompleteMultipartUpload") {}
    // False when the document is malformed or not a list of parts.
    [[nodiscard]] bool read(text document) {
        return walk(document) && !items_.empty();
    }
    [[nodiscard]] const std::vector<item> &items() const noexcept {
        return items_;
    }

  private:
    bool open() override;
    bool close() override;
    bool read_text(text raw) override;

    std::vector<item> items_;
};

bool part_list::open() {
    if (!is_at(2, "Part"))
        return true;
    items_.emplace_back();
    return items_.size() <= multipart::part_number_max;
}

bool part_list::close() {
    return !is_at(2, "Part") || (to_u64(trim(items_.back().number)) && !items_.back().tag.empty());
}

bool part_list::read_text(text raw) {
    const bool is_number = is_at(3, "PartNumber");
    if (items_.empty() || (!is_number && !is_at(3, "ETag")))
        return true;
    return xml::decode(raw, is_number ? items_.back().number : items_.back().tag);
}

// What the answer needs once the write is done; the claim ends with it.
struct completion {
    multipart::claim claim;
    std::optional<etag> tag;
};

static text unquoted(text tag) noexcept {
    tag = trim(tag);
    if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"')
        tag = tag.substr(1, tag.size() - 2);
    return tag;
}

static bool rises(const part_list &list) noexcept {
    const auto not_below = [](const part_list::item &a, const part_list::item &b) {
        return *to_u64(trim(a.number)) >= *to_u64(trim(b.number));
    };
    return std::ranges::adjacent_find(list.items(), not_below) == list.items().end();
}

// The parts that are named; null for one that is not there, or is another.
static object_ref find_part(const multipart::part_map &parts, const part_list::item &named) {
    const std::uint64_t number = *to_u64(trim(named.number));
    if (number > multipart::part_number_max)
        return nullptr;
    const auto found = parts.find(static_cast<std::uint16_t>(number));
    if (found == parts.end() || etag(*found->second).bare() != unquoted(named.tag))
        return nullptr;
    return found->second;
}

static error collect(const part_list &list, const multipart::part_map &parts,
                     std::uint64_t bytes_max, std::vector<object_ref> &named) {
    std::uint64_t bytes = 0;
    if (!rises(list))
        return error::invalid_part_order;
    for (const part_list::item &item : list.items()) {
        named.push_back(find_part(parts, item));
        if (named.back() == nullptr)
            return error::invalid_part;
    }
    for (const object_ref &part : named) {
        bytes += part->size_bytes();
        if (part != named.back() && part->size_bytes() < multipart::part_bytes_min)
            return error::entity_too_small;
    }
    return bytes > bytes_max ? error::entity_too_large : error::none;
}

static error join(const multipart::draft &from, const std::vector<object_ref> &parts,
                  object_ref &whole) {
    md5_hasher md5;
    for (const object_ref &part : parts)
        md5.add({reinterpret_cast<const char *>(part->md5.data()), part->md5.size()});
    whole = object::join(parts, kept_of(*from.headers), from.key.size());
    if (whole == nullptr)
        return error::slow_down;
    whole->md5 = md5.finish();
    whole->parts = static_cast<std::uint16_t>(parts.size());
    return error::none;
}

static void answer_completed(call &c) {
    if (c.change.outcome != error::none) {
        answer_error(c, c.change.outcome, c.asked.path);
        return;
    }
    const auto &done = *static_cast<const completion *>(c.work.get());
    std::string xml(xml::declaration);
    xml.append("<CompleteMultipartUploadResult").append(xml::name_space).append("><Location>/");
    xml.append(c.asked.bucket).append("/");
    xml::add_url(xml, c.asked.key);
    xml += "</Location><Bucket>";
    xml::add_escaped(xml, c.asked.bucket);
    xml += "</Bucket><Key>";
    xml::add_escaped(xml, c.asked.key);
    xml.append("</Key><ETag>&quot;").append(done.tag->bare());
    xml += "&quot;</ETag></CompleteMultipartUploadResult>";
    answer(c, 200).document(std::move(xml));
}

static error make_whole(call &c, const object &body, completion &work) {
    part_list list;
    std::vector<object_ref> parts;
    if (!list.read(body.whole()))
        return error::malformed_xml;
    error wrong = work.claim.take(multipart::address_of(c.asked));
    if (wrong == error::none)
        wrong = collect(list, work.claim->parts, c.at.limits.object_bytes_max, parts);
    if (wrong == error::none)
        wrong = join(*work.claim, parts, c.change.object);
    return wrong;
}

void complete_upload(call &c, const object &body) {
    auto work = std::make_shared<completion>();
    const error wrong = make_whole(c, body, *work);
    if (wrong != error::none) {
        answer_error(c, wrong, c.asked.path);
        return;
    }
    work->tag.emplace(*c.change.object);
    c.change.kind = operation::put_object;
    c.change.conditions = conditions_of(c.asked);
    c.change.bucket = c.asked.bucket;
    c.change.key = c.asked.key;
    c.change.completes = &*work->claim;
    c.work = std::move(work);
    commit_and_then(c, answer_completed);
}

} // namespace pausemark
