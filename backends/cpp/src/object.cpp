// Reference-counted objects: kept headers behind the structure, and how one is made of others.
#include "object.h"
#include <algorithm>
#include <cstring>
#include <new>

namespace pausemark {

// What an object costs beside its bytes: index entry, the structure, rounding.
constexpr std::uint64_t overhead_bytes = 512;
constexpr std::size_t metadata_lengths_bytes = 2 * sizeof(std::uint16_t);

static std::size_t fields_bytes(const kept_headers &kept) noexcept {
    std::size_t sum = 0;
    for (const text value : kept.values.all())
        sum += value.size();
    for (std::size_t i = 0; i < kept.metadata_count; i++)
        sum +=
            metadata_lengths_bytes + kept.metadata[i].name.size() + kept.metadata[i].value.size();
    return sum;
}

static char *put(char *to, text t) noexcept {
    return std::ranges::copy(t, to).out;
}

void object::pack(const kept_headers &kept) noexcept {
    char *to = fields();
    for (std::size_t i = 0; i < kept_count; i++) {
        const text value = kept.values.all()[i];
        value_n_[i] = static_cast<std::uint16_t>(value.size());
        to = put(to, value);
    }
    kept_n_ = static_cast<std::uint16_t>(to - fields());
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
    : content(allocated_bytes, length) {}

// Charged for all that is known beforehand, but for shared bytes.
object_ref object::make(const kept_headers &kept, std::uint64_t length,
                        std::size_t key_bytes) noexcept {
    const std::size_t bytes = sizeof(object) + fields_bytes(kept);
    void *memory = slab::take(bytes);
    if (memory == nullptr)
        return nullptr;
    object_ref o(new (memory) object(bytes, length));
    if (!o->charge(fields_bytes(kept) + key_bytes + overhead_bytes))
        return nullptr;
    o->pack(kept);
    return o;
}

object_ref object::create(const kept_headers &kept, std::uint64_t length,
                          std::size_t key_bytes) noexcept {
    object_ref o = make(kept, length, key_bytes);
    const std::uint64_t known = length == length_unknown ? 0 : length;
    return o != nullptr && o->charge(known) ? o : nullptr;
}

object_ref object::copy(const object &from, const kept_headers &kept,
                        std::size_t key_bytes) noexcept {
    const bool shares = from.size_bytes() > slab::block_bytes_max;
    object_ref o = make(kept, from.size_bytes(), key_bytes);
    if (o == nullptr || !o->charge(from.size_bytes()))
        return nullptr;
    if (shares && !o->reserve_shared(std::max<std::size_t>(from.shared_count(), 1)))
        return nullptr;
    if (shares)
        o->share(from);
    else if (!o->append_range(from, 0, from.size_bytes()))
        return nullptr;
    o->md5 = from.md5;
    o->parts = from.parts;
    return o;
}

object_ref object::join(std::span<const object_ref> pieces, const kept_headers &kept,
                        std::size_t key_bytes) noexcept {
    object_ref o = make(kept, 0, key_bytes);
    if (o == nullptr || !o->reserve_shared(pieces.size()))
        return nullptr;
    for (const object_ref &piece : pieces)
        o->share(*piece);
    return o;
}

bool object::append_range(const object &from, std::uint64_t begin, std::uint64_t end) noexcept {
    while (begin < end) {
        const text piece = from.slice(begin).substr(0, static_cast<std::size_t>(end - begin));
        if (!append(piece))
            return false;
        begin += piece.size();
    }
    return true;
}

void intrusive_ptr_add_ref(object *o) noexcept {
    o->references_.fetch_add(1, std::memory_order_relaxed);
}

void intrusive_ptr_release(object *o) noexcept {
    if (o->references_.fetch_sub(1, std::memory_order_acq_rel) != 1)
        return;
    o->discharge();
    intrusive_ptr_release(static_cast<const content *>(o));
}

kept_values object::kept() const noexcept {
    kept_values found;
    const char *from = fields();
    for (std::size_t i = 0; i < kept_count; from += value_n_[i++])
        found[static_cast<kept_header>(i)] = {from, value_n_[i]};
    return found;
}

bool object::next_metadata(std::size_t &at, header &found) const noexcept {
    if (at == 0)
        at = kept_n_;
    if (at >= allocated_bytes_ - sizeof(object))
        return false;
    std::uint16_t lengths[2];
    std::memcpy(lengths, fields() + at, sizeof lengths);
    found.name = {fields() + at + sizeof lengths, lengths[0]};
    found.value = {found.name.data() + lengths[0], lengths[1]};
    at += sizeof lengths + lengths[0] + lengths[1];
    return true;
}

void object::replace_metadata(text name, text value) noexcept {
    header item;
    for (std::size_t at = 0; next_metadata(at, item);) {
        if (item.name == name && item.value.size() == value.size())
            put(fields() + (item.value.data() - fields()), value);
    }
}

} // namespace pausemark
