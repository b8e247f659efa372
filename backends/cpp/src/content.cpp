// Blocks behind a table, shared contents, and the accounting that keeps the store below its limit.
#include "object.h"
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

namespace pausemark {

static std::atomic<std::uint64_t> stored_bytes;
static std::uint64_t stored_bytes_max;

void content::limit_store(std::uint64_t store_bytes_max) noexcept {
    stored_bytes_max = store_bytes_max;
}

std::uint64_t content::charged_by_all() noexcept {
    return stored_bytes;
}

bool content::charge(std::uint64_t bytes) noexcept {
    const std::uint64_t before = stored_bytes.fetch_add(bytes);
    if (bytes > stored_bytes_max || before > stored_bytes_max - bytes) {
        stored_bytes -= bytes;
        return false;
    }
    charged_bytes_ += bytes;
    return true;
}

content::content(std::size_t allocated_bytes, std::uint64_t length) noexcept
    : allocated_bytes_(static_cast<std::uint32_t>(allocated_bytes)), length_promised_(length) {}

content::~content() {
    for (std::uint32_t i = 0; i < block_count_; i++)
        slab::give(block(i), i + 1 == block_count_ ? last_block_bytes_ : slab::block_bytes_max);
    if (table_ != nullptr)
        slab::give(table_, table_capacity_ * sizeof(char *));
    else if (table_capacity_ > 0)
        end_shared();
}

void content::end_shared() noexcept {
    std::destroy_n(shared_, shared_count_);
    slab::give(shared_, table_capacity_ * sizeof(shared));
}

void content::discharge() noexcept {
    stored_bytes -= charged_bytes_;
    charged_bytes_ = 0;
}

void content::take_charge() noexcept {
    stored_bytes += size_bytes_;
    charged_bytes_ += size_bytes_;
}

void intrusive_ptr_add_ref(const content *c) noexcept {
    c->holders_.fetch_add(1, std::memory_order_relaxed);
}

// Every content is an object's.
void intrusive_ptr_release(const content *c) noexcept {
    if (c->holders_.fetch_sub(1, std::memory_order_acq_rel) != 1)
        return;
    const std::size_t bytes = c->allocated_bytes_;
    auto *o = static_cast<object *>(const_cast<content *>(c));
    o->~object();
    slab::give(o, bytes);
}

char *content::block(std::uint32_t index) const noexcept {
    return table_ == nullptr ? single_ : table_[index];
}

std::uint64_t content::last_block_at() const noexcept {
    return block_count_ == 0 ? 0 : std::uint64_t{block_count_ - 1} * slab::block_bytes_max;
}

// Makes room for one more pointer; the table doubles, so its cost stays a small share of the body.
bool content::grow_table() noexcept {
    if (block_count_ < (table_ == nullptr ? 1 : table_capacity_))
        return true;
    const std::uint32_t wanted = table_ == nullptr ? 8 : table_capacity_ * 2;
    if (wanted * sizeof(char *) > slab::block_bytes_max)
        return false;
    auto *table = static_cast<char **>(slab::take(wanted * sizeof(char *)));
    if (table == nullptr)
        return false;
    for (std::uint32_t i = 0; i < block_count_; i++)
        table[i] = block(i);
    slab::give(table_, table_capacity_ * sizeof(char *));
    table_ = table;
    table_capacity_ = wanted;
    return true;
}

void content::replace_last(char *block, std::size_t bytes) noexcept {
    if (table_ == nullptr)
        single_ = block;
    else
        table_[block_count_ - 1] = block;
    last_block_bytes_ = static_cast<std::uint32_t>(bytes);
}

bool content::add_block() noexcept {
    const bool known = length_promised_ != length_unknown;
    const std::uint64_t rest = known ? length_promised_ - size_bytes_ : slab::block_bytes_max;
    const auto bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(rest, slab::block_bytes_max));
    if ((!known && !charge(bytes)) || !grow_table())
        return false;
    auto *fresh = static_cast<char *>(slab::take(bytes));
    if (fresh == nullptr)
        return false;
    block_count_++;
    replace_last(fresh, bytes);
    return true;
}

bool content::append(text bytes) noexcept {
    while (!bytes.empty()) {
        std::size_t used = static_cast<std::size_t>(size_bytes_ - last_block_at());
        if (block_count_ == 0 || used == last_block_bytes_) {
            if (!add_block())
                return false;
            used = 0;
        }
        const std::size_t n = std::min(bytes.size(), last_block_bytes_ - used);
        std::memcpy(block(block_count_ - 1) + used, bytes.data(), n);
        size_bytes_ += n;
        bytes.remove_prefix(n);
    }
    return true;
}

void content::seal() noexcept {
    if (length_promised_ != length_unknown || block_count_ == 0)
        return;
    const auto used = static_cast<std::size_t>(size_bytes_ - last_block_at());
    if (used == last_block_bytes_)
        return;
    auto *tight = static_cast<char *>(slab::take(used));
    if (tight == nullptr)
        return;
    char *wide = block(block_count_ - 1);
    std::memcpy(tight, wide, used);
    slab::give(wide, last_block_bytes_);
    const std::uint64_t spare = last_block_bytes_ - used;
    replace_last(tight, used);
    charged_bytes_ -= spare;
    stored_bytes -= spare;
}

bool content::reserve_shared(std::size_t count) noexcept {
    if (count * sizeof(shared) > slab::block_bytes_max)
        return false;
    auto *room = static_cast<shared *>(slab::take(count * sizeof(shared)));
    if (room == nullptr)
        return false;
    shared_ = room;
    table_capacity_ = static_cast<std::uint32_t>(count);
    return true;
}

void content::share(const content &from) noexcept {
    for (std::uint32_t i = 0; i < from.shared_count_; i++)
        share(*from.shared_[i].from);
    if (from.shared_count_ > 0 || from.size_bytes_ == 0)
        return;
    size_bytes_ += from.size_bytes_;
    new (shared_ + shared_count_++) shared{content_ref(&from), size_bytes_};
}

text content::slice_shared(std::uint64_t offset) const noexcept {
    const shared *found =
        std::ranges::upper_bound(shared_, shared_ + shared_count_, offset, {}, &shared::end);
    const std::uint64_t begin = found->end - found->from->size_bytes();
    return found->from->slice(offset - begin);
}

std::string content::whole() const {
    std::string all;
    all.reserve(static_cast<std::size_t>(size_bytes_));
    for (std::uint64_t at = 0; at < size_bytes_; at = all.size())
        all += slice(at);
    return all;
}

text content::slice(std::uint64_t offset) const noexcept {
    if (shared_count_ > 0)
        return slice_shared(offset);
    const auto index = static_cast<std::uint32_t>(offset / slab::block_bytes_max);
    const std::uint64_t end =
        std::min((std::uint64_t{index} + 1) * slab::block_bytes_max, size_bytes_);
    return {block(index) + offset % slab::block_bytes_max, static_cast<std::size_t>(end - offset)};
}

} // namespace pausemark
