// Reference-counted objects and the accounting that keeps the store below its limit.
#include "object.h"
#include <algorithm>
#include <cstring>
#include <new>

namespace pausemark {

// What an object costs beside its bytes: index entry, the structure, rounding.
constexpr std::uint64_t overhead_bytes = 512;
constexpr std::size_t metadata_lengths_bytes = 2 * sizeof(std::uint16_t);

static std::atomic<std::uint64_t> stored_bytes;
static std::uint64_t stored_bytes_max;

void object::limit_store(std::uint64_t store_bytes_max) noexcept {
    stored_bytes_max = store_bytes_max;
}

std::uint64_t object::charged_by_all() noexcept {
    return stored_bytes;
}

bool object::charge(std::uint64_t bytes) noexcept {
    const std::uint64_t before = stored_bytes.fetch_add(bytes);
    if (bytes > stored_bytes_max || before > stored_bytes_max - bytes) {
        stored_bytes -= bytes;
        return false;
    }
    charged_bytes_ += bytes;
    return true;
}

static std::size_t fields_bytes(const kept_headers &kept) noexcept {
    std::size_t sum =
        kept.content_type.size() + kept.cache_control.size() + kept.content_encoding.size();
    for (std::size_t i = 0; i < kept.metadata_count; i++)
        sum +=
            metadata_lengths_bytes + kept.metadata[i].name.size() + kept.metadata[i].value.size();
    return sum;
}

static char *put(char *to, text t) noexcept {
    return std::ranges::copy(t, to).out;
}

void object::pack(const kept_headers &kept) noexcept {
    char *to = put(put(fields(), kept.content_type), kept.cache_control);
    to = put(to, kept.content_encoding);
    type_n_ = static_cast<std::uint16_t>(kept.content_type.size());
    cache_n_ = static_cast<std::uint16_t>(kept.cache_control.size());
    encoding_n_ = static_cast<std::uint16_t>(kept.content_encoding.size());
    for (std::size_t i = 0; i < kept.metadata_count; i++) {
        const auto &[name, value] = kept.metadata[i];
        const std::uint16_t lengths[] = {static_cast<std::uint16_t>(name.size()),
                                         static_cast<std::uint16_t>(value.size())};
        std::memcpy(to, lengths, sizeof lengths);
        to = std::ranges::transform(name, to + sizeof lengths, lower).out;
        to = put(to, value);
    }
}

object::object(std::size_t allocated_bytes, std::uint64_t length) noexcept
    : allocated_bytes_(static_cast<std::uint32_t>(allocated_bytes)), length_promised_(length) {}

object_ref object::create(const kept_headers &kept, std::uint64_t length,
                          std::size_t key_bytes) noexcept {
    const std::size_t bytes = sizeof(object) + fields_bytes(kept);
    void *memory = slab::take(bytes);
    if (memory == nullptr)
        return nullptr;
    const object_ref o(new (memory) object(bytes, length));
    const std::uint64_t known = length == length_unknown ? 0 : length;
    if (!o->charge(known + fields_bytes(kept) + key_bytes + overhead_bytes))
        return nullptr;
    o->pack(kept);
    return o;
}

object::~object() {
    for (std::uint32_t i = 0; i < block_count_; i++)
        slab::give(block(i), i + 1 == block_count_ ? last_block_bytes_ : slab::block_bytes_max);
    slab::give(table_, table_capacity_ * sizeof(char *));
    stored_bytes -= charged_bytes_;
}

void intrusive_ptr_add_ref(object *o) noexcept {
    o->references_.fetch_add(1, std::memory_order_relaxed);
}

void intrusive_ptr_release(object *o) noexcept {
    if (o->references_.fetch_sub(1, std::memory_order_acq_rel) != 1)
        return;
    const std::size_t bytes = o->allocated_bytes_;
    o->~object();
    slab::give(o, bytes);
}

char *object::block(std::uint32_t index) const noexcept {
    return table_ == nullptr ? single_ : table_[index];
}

std::uint64_t object::last_block_at() const noexcept {
    return block_count_ == 0 ? 0 : std::uint64_t{block_count_ - 1} * slab::block_bytes_max;
}

// Makes room for one more pointer; the table doubles, so its cost stays a small share of the body.
bool object::grow_table() noexcept {
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

void object::replace_last(char *block, std::size_t bytes) noexcept {
    if (table_ == nullptr)
        single_ = block;
    else
        table_[block_count_ - 1] = block;
    last_block_bytes_ = static_cast<std::uint32_t>(bytes);
}

bool object::add_block() noexcept {
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

bool object::append(text bytes) noexcept {
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

void object::seal() noexcept {
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

bool object::next_metadata(std::size_t &at, header &found) const noexcept {
    if (at == 0)
        at = std::size_t{type_n_} + cache_n_ + encoding_n_;
    if (at >= allocated_bytes_ - sizeof(object))
        return false;
    std::uint16_t lengths[2];
    std::memcpy(lengths, fields() + at, sizeof lengths);
    found.name = {fields() + at + sizeof lengths, lengths[0]};
    found.value = {found.name.data() + lengths[0], lengths[1]};
    at += sizeof lengths + lengths[0] + lengths[1];
    return true;
}

text object::slice(std::uint64_t offset) const noexcept {
    const auto index = static_cast<std::uint32_t>(offset / slab::block_bytes_max);
    const std::uint64_t end =
        std::min((std::uint64_t{index} + 1) * slab::block_bytes_max, size_bytes_);
    return {block(index) + offset % slab::block_bytes_max, static_cast<std::size_t>(end - offset)};
}

} // namespace pausemark
