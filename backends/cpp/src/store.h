// The index that all workers share. Every function is thread safe. Lock order: buckets, then a
// bucket's keys, then a shard.
#pragma once
#include "precondition.h"

namespace pausemark::store {

inline constexpr std::size_t bucket_count_max = 1000;
inline constexpr std::size_t key_bytes_max = 1024;

enum class result { ok, no_bucket, other_bucket, no_key, not_empty, unmet, full };

// Memory for one index entry, taken before a write is promised, so that its put cannot fail.
class room {
  public:
    room() noexcept = default;
    // Empty when there is no memory.
    explicit room(text key) noexcept;
    room(room &&from) noexcept;
    room &operator=(room &&from) noexcept;
    ~room();
    [[nodiscard]] explicit operator bool() const noexcept {
        return memory_ != nullptr;
    }
    [[nodiscard]] void *release() noexcept;

  private:
    void *memory_ = nullptr;
    std::size_t bytes_ = 0;
};

// False when the system gives no randomness or memory. Call once.
[[nodiscard]] bool start();
[[nodiscard]] result create_bucket(text name, std::int64_t now_s);
[[nodiscard]] result delete_bucket(text name);
[[nodiscard]] bool has_bucket(text name);
// Never the same for two buckets, also of one name; 0 when there is none.
[[nodiscard]] std::uint64_t bucket_number(text name);
// What create_bucket and delete_bucket would answer now.
[[nodiscard]] result may_create_bucket(text name);
[[nodiscard]] result may_delete_bucket(text name);

class bucket_visitor {
  public:
    virtual void visit(text name, std::int64_t created_s) = 0;

  protected:
    ~bucket_visitor() = default;
};
// In the order of names, under the bucket lock.
void each_bucket(bucket_visitor &visitor);

struct lookup {
    result outcome;
    object_ref found; // set when the outcome is ok
};
[[nodiscard]] lookup get(text bucket, text key);
// `unmet` and `no_key` only with conditions; `full` never when there is room for this key;
// `other_bucket` only with a number.
[[nodiscard]] result put(text bucket, text key, object_ref object, const write_conditions &asked,
                         room spare = {}, std::uint64_t number = 0);
// What put() would say of the conditions now: ok, no_bucket, no_key or unmet.
[[nodiscard]] result may_put(text bucket, text key, const write_conditions &asked);
[[nodiscard]] result remove(text bucket, text key); // no_key: there was none

// What a listing says of one object, copied out under the shard's lock.
struct listed {
    text key;
    std::uint64_t size_bytes;
    std::int64_t modified_s;
    md5_digest md5;
    std::uint16_t parts;
};
// What a visitor wants next: to stop, the next key, or the first key that is not below `seek`.
enum class step { stop, next, seek };
class key_visitor {
  public:
    virtual step visit(const listed &item, text &seek) = 0;

  protected:
    ~key_visitor() = default;
};
// Keys in byte order from the first that is not below `from`, under the bucket's read lock.
[[nodiscard]] result list(text bucket, text from, key_visitor &visitor);

} // namespace pausemark::store
