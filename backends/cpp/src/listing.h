// What all listings by name share: prefix, delimiter, pages, and names as the client wants them.
#pragma once
#include "call.h"
#include "store.h"
#include <algorithm>
#include <string>

namespace pausemark::s3 {

inline constexpr std::uint64_t page_items_max = 1000;

// A query is a form: there '+' is a blank, unlike in a path. Nothing on a bad escape or bad text.
[[nodiscard]] std::optional<std::string> decode_form(text value);
// How many items a page may have; nothing when it is no number.
[[nodiscard]] std::optional<std::uint64_t> read_page_items(text value) noexcept;

// Each kind of listing adds its own parameters, items and document.
class listing {
  protected:
    listing(const request &r, text max_name) noexcept : request_(r), max_name_(max_name) {}
    ~listing() = default;

    // The decoded value, or an empty one and bad_.
    [[nodiscard]] std::string decode(text value);
    // True when it is a parameter that all listings have.
    bool read_shared(text name, const std::string &value);
    // A whole query of which only a key's marker and a second one are this listing's own. False
    // when a parameter is not valid.
    [[nodiscard]] bool read_marked_query(text second_name, std::string &second);
    // Where a key stands on the page; `before` says that the page begins behind it.
    enum class fate { stop, passed, listed, prefix };
    [[nodiscard]] fate place(text key, bool before);
    [[nodiscard]] text after_prefix();
    void add_name(std::string &to, text name) const;
    void add_element(std::string &to, text tag, text value) const;
    // <Tag>...</Tag><Delimiter>, <EncodingType> and <IsTruncated>, where they apply.
    void add_page_part(std::string &to, text max_tag) const;
    const request &request_;
    const text max_name_;
    bool url_encoded_ = false, truncated_ = false, bad_ = false;
    std::uint64_t max_items_ = page_items_max, count_ = 0;
    std::string prefix_, delimiter_, after_, last_;
    std::string items_, prefixes_;

  private:
    std::string seek_;
};

// Of the objects of a bucket.
class key_listing : public listing, public store::key_visitor {
  public:
    // The first key that can be listed.
    [[nodiscard]] text from() const noexcept {
        return std::max(text(after_), text(prefix_));
    }
    store::step visit(const store::listed &item, text &seek) override;
    // The page that is asked for, or what is wrong with the query.
    void answer_page(call &c);

  protected:
    using listing::listing;
    ~key_listing() = default;
    // False when a parameter is not valid.
    [[nodiscard]] virtual bool read_query() = 0;
    [[nodiscard]] virtual std::string document() = 0;
    virtual void add_item(const store::listed &item) = 0;
    // LastModified, ETag and Size.
    static void add_facts(std::string &to, const store::listed &item);
};

} // namespace pausemark::s3
