// Walks the elements of a small document that a client sends, and sees to their nesting.
#pragma once
#include "xml_reader.h"
#include <vector>

namespace pausemark::xml {

// Each kind of document says what its elements mean. False from any of the three refuses it.
class outline {
  protected:
    explicit outline(text root) noexcept : root_(root) {}
    ~outline() = default;
    // False when the document is malformed, refused, or has another root.
    [[nodiscard]] bool walk(text document);

    // The element is the innermost of path_.
    virtual bool open() = 0;
    virtual bool close() = 0;
    virtual bool read_text(text raw) = 0;

    [[nodiscard]] bool is_at(std::size_t depth, text name) const noexcept {
        return path_.size() == depth && path_.back() == name;
    }

  private:
    static constexpr std::size_t depth_max = 4;
    [[nodiscard]] bool enter(text name);
    [[nodiscard]] bool leave(text name);

    const text root_;
    std::vector<text> path_; // the names of the open elements
    bool seen_root_ = false;
};

} // namespace pausemark::xml
