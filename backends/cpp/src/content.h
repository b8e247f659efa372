// The bytes of an object: blocks of its own, or those of other contents; and what they are charged.
#pragma once
#include "slab.h"
#include "text.h"
#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <string>

namespace pausemark {

inline constexpr std::uint64_t length_unknown = UINT64_MAX;

class content;
void intrusive_ptr_add_ref(const content *c) noexcept;
void intrusive_ptr_release(const content *c) noexcept;
// Holds the bytes, not the charge: whoever shares them is charged for them, because the object that
// they came with may go first.
using content_ref = boost::intrusive_ptr<const content>;

// Only the one uploader calls what is not const.
class content {
  public:
    // What all contents together may charge. Call once, before the first.
    static void limit_store(std::uint64_t store_bytes_max) noexcept;
    // What they charge now.
    [[nodiscard]] static std::uint64_t charged_by_all() noexcept;
    content(const content &) = delete;
    content &operator=(const content &) = delete;

    // False when memory or the limit is exhausted.
    [[nodiscard]] bool append(text bytes) noexcept;
    // Gives back what an unknown length had reserved too much.
    void seal() noexcept;
    // Charges for bytes that were charged to others until now: what is stored does not grow, so
    // that the limit cannot refuse it.
    void take_charge() noexcept;

    [[nodiscard]] std::uint64_t size_bytes() const noexcept {
        return size_bytes_;
    }
    // All of them, of a document that was sent.
    [[nodiscard]] std::string whole() const;
    // The contiguous bytes from `offset` to the end of their block.
    [[nodiscard]] text slice(std::uint64_t offset) const noexcept;

  protected:
    content(std::size_t allocated_bytes, std::uint64_t length) noexcept;
    ~content();
    [[nodiscard]] bool charge(std::uint64_t bytes) noexcept;
    void discharge() noexcept;
    // Room for `count` shared contents, before the first. False when memory is exhausted.
    [[nodiscard]] bool reserve_shared(std::size_t count) noexcept;
    // Appends all bytes of a content that is not changed any more, without copying them.
    void share(const content &from) noexcept;
    [[nodiscard]] std::size_t shared_count() const noexcept {
        return shared_count_;
    }

    const std::uint32_t allocated_bytes_; // of the object, whose fields lie behind it

  private:
    // Contents that share nothing themselves, so that there is no chain to follow.
    struct shared {
        content_ref from;
        std::uint64_t end; // where its bytes end, counted from the beginning of all
    };
    void end_shared() noexcept;
    [[nodiscard]] text slice_shared(std::uint64_t offset) const noexcept;
    [[nodiscard]] char *block(std::uint32_t index) const noexcept;
    [[nodiscard]] std::uint64_t last_block_at() const noexcept;
    [[nodiscard]] bool grow_table() noexcept;
    [[nodiscard]] bool add_block() noexcept;
    void replace_last(char *block, std::size_t bytes) noexcept;
    friend void intrusive_ptr_add_ref(const content *c) noexcept;
    friend void intrusive_ptr_release(const content *c) noexcept;

    mutable std::atomic<std::uint32_t> holders_ = 1; // the object itself, and who shares its bytes
    std::uint64_t size_bytes_ = 0;
    std::uint64_t charged_bytes_ = 0;
    std::uint64_t length_promised_;                    // or length_unknown
    std::uint32_t block_count_ = 0, shared_count_ = 0; // one of them is 0
    std::uint32_t table_capacity_ = 0;                 // of the table, or of `shared_`
    std::uint32_t last_block_bytes_ = 0;               // capacity of the last block
    union {
        char *single_ = nullptr; // the only block, while there is no table
        shared *shared_;         // instead of blocks
    };
    char **table_ = nullptr; // all blocks, from the second on
};

} // namespace pausemark
