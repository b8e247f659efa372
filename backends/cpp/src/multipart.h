// The multipart uploads that are open: in memory only, gone with their bucket or their process.
// Every function is thread safe. Lock order: the uploads, then the store's.
#pragma once
#include "error.h"
#include "object.h"
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pausemark {

struct request;

namespace multipart {

inline constexpr std::size_t open_count_max = 1000;
inline constexpr std::uint16_t part_number_max = 10000;
inline constexpr std::uint64_t part_bytes_min = std::uint64_t{5} << 20; // but for the last one

using part_map = std::map<std::uint16_t, object_ref>;

// An upload that is open. What may change is guarded by the lock, or by the claim on it.
struct draft {
    const std::string bucket, key, id;
    const std::uint64_t bucket_number;
    const std::int64_t initiated_s;
    const object_ref headers; // an empty object that has what the whole one will keep
    part_map parts = {};
    bool claimed = false;
};
using draft_ref = std::shared_ptr<draft>;

// What a request says of an upload; it is another one's when bucket or key differ.
struct address {
    text bucket, key, id;
};
[[nodiscard]] address address_of(const request &r) noexcept;

// Sets `id`; slow_down when there are too many.
[[nodiscard]] error begin(text bucket, text key, object_ref headers, std::int64_t now_s,
                          std::string &id);
// None when it is open, else no_such_bucket or no_such_upload; so say all that take an address.
[[nodiscard]] error find(const address &a);
[[nodiscard]] error put_part(const address &a, std::uint16_t number, object_ref part);
[[nodiscard]] error abort(const address &a);

struct parts_page {
    std::vector<part_map::value_type> parts;
    bool is_truncated = false;
};
// At most `parts_max` of those whose number is above `after`.
[[nodiscard]] error list_parts(const address &a, std::uint64_t after, std::uint64_t parts_max,
                               parts_page &page);
// By key, then id. What is guarded must not be looked at.
[[nodiscard]] std::vector<std::shared_ptr<const draft>> list(text bucket);

// The right to complete an upload. Nobody else finds it until it is finished, or until the claim
// ends, which leaves it open.
class claim {
  public:
    claim() noexcept = default;
    claim(const claim &) = delete;
    claim &operator=(const claim &) = delete;
    ~claim();
    [[nodiscard]] error take(const address &a);
    [[nodiscard]] draft &operator*() const noexcept {
        return *draft_;
    }
    [[nodiscard]] draft *operator->() const noexcept {
        return draft_.get();
    }

  private:
    draft_ref draft_;
};

// For whoever applies writes. The claimed upload has become an object.
void finish(draft &d);
// The bucket was deleted, and perhaps another one has its name already.
void end_orphans(text bucket);

} // namespace multipart
} // namespace pausemark
