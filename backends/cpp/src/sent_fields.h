// The header fields of one request as they were sent, and which of them its signature covers.
#pragma once
#include "canonical.h"

namespace pausemark {

class sent_fields {
  public:
    // Room for as many as a head can hold, so that adding takes no memory.
    explicit sent_fields(std::size_t bytes_max) {
        fields_.reserve(bytes_max / 4 + 1); // "a:" and CRLF is the shortest
    }
    void clear() noexcept {
        fields_.clear();
    }
    // Borrowed until clear().
    void add(text name, text value) noexcept;

    // After the last add(), before what follows.
    void sort() noexcept;
    // The first of that name; absent when there is none.
    [[nodiscard]] text find(text name) const noexcept;
    // Writes the fields that `signed_names` (each once, separated by `;`) lists. False when one of
    // them was not sent.
    [[nodiscard]] bool put_signed(canonical_writer &to, text signed_names) noexcept;
    // Whether put_signed() has written all that must be signed: host and every x-amz-….
    [[nodiscard]] bool are_covered() const noexcept;

  private:
    struct field {
        text name, value;
        std::size_t place; // among all, for those of one name
        bool is_signed;
    };
    [[nodiscard]] static bool is_before(const field &a, const field &b) noexcept;
    [[nodiscard]] std::vector<field>::const_iterator first_of(text name) const noexcept;
    std::vector<field> fields_;
};

} // namespace pausemark
