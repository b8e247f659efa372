// The head of an answer as HTTP/2 wants it: names in lower case, the status as a field.
#pragma once
#include "text.h"
#include <nghttp2/nghttp2.h>
#include <string>
#include <vector>

namespace pausemark::epoll {

// Built and handed over within one call, so that all connections of a thread can share one.
class h2_answer {
  public:
    void begin(unsigned status);
    void add(text name, text value);
    // Views of what was added, until begin().
    [[nodiscard]] std::span<const nghttp2_nv> fields();

  private:
    struct place {
        std::size_t at, name_n, value_n;
    };
    std::string bytes_; // both keep their capacity
    std::vector<place> places_;
    std::vector<nghttp2_nv> fields_;
};

} // namespace pausemark::epoll
