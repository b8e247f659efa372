// Applies recovered records to the index.
#pragma once
#include "recovery.h"

namespace pausemark {

class replay final : public record_visitor {
  public:
    explicit replay(std::uint64_t store_bytes_max) noexcept : store_bytes_max_(store_bytes_max) {}
    bool visit(const record &r) override;
    // Why it stopped: the store's limit or memory, and not the log's content.
    [[nodiscard]] bool is_full() const noexcept {
        return full_;
    }

  private:
    [[nodiscard]] bool refuse(const record &r, const char *why) const;

    const std::uint64_t store_bytes_max_;
    bool full_ = false;
};

} // namespace pausemark
