// A pull reader for the small XML that clients send: elements, text, entities, comments; no DTD.
#pragma once
#include "text.h"
#include <string>

namespace pausemark::xml {

enum class token { open, close, text, end, error };

// Views into the document; nesting is the caller's business.
class reader {
  public:
    explicit reader(text document) noexcept : rest_(document) {}
    [[nodiscard]] token next() noexcept;
    [[nodiscard]] text name() const noexcept {
        return name_;
    } // without its namespace prefix
    [[nodiscard]] text raw() const noexcept {
        return raw_;
    } // entities not yet replaced

  private:
    [[nodiscard]] token fail() noexcept;
    [[nodiscard]] token read_tag() noexcept;
    [[nodiscard]] bool skip_to(text end) noexcept;

    text rest_, name_, raw_;
    bool is_empty_ = false; // "<a/>": the close follows
};

// Appends `raw` with its entities replaced; false on an unknown entity.
[[nodiscard]] bool decode(text raw, std::string &to);

} // namespace pausemark::xml
