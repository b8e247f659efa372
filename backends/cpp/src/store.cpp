// Boost.Intrusive containers, which never allocate and so never throw: a sharded hash for point
// reads (256 small tables, so that growing one stops it for microseconds) and a tree per bucket.
#include "store.h"
#include <algorithm>
#include <boost/intrusive/set.hpp>
#include <boost/intrusive/unordered_set.hpp>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <string>
#include <sys/random.h>
#include <utility>
#include <vector>

namespace pausemark::store {

namespace intrusive = boost::intrusive;
struct bucket;

// A key of a bucket. Its bytes stand behind the structure.
struct entry : intrusive::set_base_hook<intrusive::link_mode<intrusive::normal_link>>,
               intrusive::unordered_set_base_hook<intrusive::link_mode<intrusive::normal_link>> {
    bucket *owner;
    std::uint64_t hash;
    std::size_t key_n;
    object_ref stored;

    entry(bucket *b, std::uint64_t key_hash, text key, object_ref o) noexcept
        : owner(b), hash(key_hash), key_n(key.size()), stored(std::move(o)) {
        std::memcpy(reinterpret_cast<char *>(this + 1), key.data(), key.size());
    }
    [[nodiscard]] text key() const noexcept {
        return {reinterpret_cast<const char *>(this + 1), key_n};
    }
    [[nodiscard]] std::size_t bytes() const noexcept {
        return sizeof(entry) + key_n;
    }
};

struct key_of_entry {
    using type = text;
    type operator()(const entry &e) const noexcept {
        return e.key();
    }
};
using key_order = intrusive::set<entry, intrusive::key_of_value<key_of_entry>,
                                 intrusive::constant_time_size<false>>;

struct bucket {
    std::string name;
    std::uint64_t number;
    std::int64_t created_s;
    std::shared_mutex lock; // of keys
    key_order keys;
};

struct hash_of_entry {
    std::size_t operator()(const entry &e) const noexcept {
        return e.hash;
    }
};
struct same_entry {
    bool operator()(const entry &a, const entry &b) const noexcept {
        return &a == &b;
    }
};
using hash_table =
    intrusive::unordered_set<entry, intrusive::hash<hash_of_entry>, intrusive::equal<same_entry>,
                             intrusive::power_2_buckets<true>>;

struct alignas(64) shard {
    static constexpr std::size_t slot_count_least = 64;
    std::mutex lock;
    std::size_t slot_count = slot_count_least;
    std::unique_ptr<hash_table::bucket_type[]> slots{new hash_table::bucket_type[slot_count_least]};
    hash_table table{hash_table::bucket_traits(slots.get(), slot_count_least)};
};

// Never destroyed: at the end of the process there is nothing to give back, and much to walk.
static auto &shards = *new std::array<shard, 256>;
static std::shared_mutex buckets_lock;
static auto &buckets = *new std::vector<std::unique_ptr<bucket>>; // in the order of names
static std::uint64_t bucket_number_last;                          // under buckets_lock
static std::uint64_t hash_seed;

bool start() {
    buckets.reserve(bucket_count_max);
    return getrandom(&hash_seed, sizeof hash_seed, 0) == ssize_t{sizeof hash_seed};
}

static std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using wide = unsigned __int128;
    const wide product = wide{a ^ 0x9e3779b97f4a7c15u} * (b ^ 0xd1b54a32d192ed03u);
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

static std::uint64_t hash_text(std::uint64_t state, text t) noexcept {
    std::uint64_t word = 0;
    for (; t.size() >= sizeof word; t.remove_prefix(sizeof word)) {
        std::memcpy(&word, t.data(), sizeof word);
        state = mix(state, word);
    }
    word = t.size() + 1;
    for (const char c : t)
        word = word << 8 | static_cast<std::uint8_t>(c);
    return mix(state, word);
}

// A point in the index: what a hash lookup compares with.
struct place {
    text bucket_name, key;
    std::uint64_t hash;

    place(text b, text k) noexcept
        : bucket_name(b), key(k), hash(hash_text(hash_text(hash_seed, b), k)) {}
    [[nodiscard]] shard &home() const noexcept {
        return shards[hash >> 56];
    }
    // Under the shard's lock.
    [[nodiscard]] hash_table::iterator find(shard &s) const {
        const auto hashed = [](const place &p) { return std::size_t{p.hash}; };
        const auto same = [](const place &p, const entry &e) {
            return p.hash == e.hash && p.key == e.key() && p.bucket_name == e.owner->name;
        };
        return s.table.find(*this, hashed, same);
    }
};

// Doubles a table that is full; when memory is short the chains just get longer.
static void grow(shard &s) {
    if (s.table.size() < s.slot_count)
        return;
    std::unique_ptr<hash_table::bucket_type[]> wider(new (std::nothrow)
                                                         hash_table::bucket_type[s.slot_count * 2]);
    if (wider == nullptr)
        return;
    s.table.rehash(hash_table::bucket_traits(wider.get(), s.slot_count * 2));
    s.slots = std::move(wider);
    s.slot_count *= 2;
}

static auto bucket_place(text name) noexcept {
    return std::ranges::lower_bound(buckets, name, {}, [](const auto &b) { return text(b->name); });
}

static bucket *bucket_find(text name) noexcept {
    const auto at = bucket_place(name);
    return at != buckets.end() && (*at)->name == name ? at->get() : nullptr;
}

bool has_bucket(text name) {
    const std::shared_lock held(buckets_lock);
    return bucket_find(name) != nullptr;
}

std::uint64_t bucket_number(text name) {
    const std::shared_lock held(buckets_lock);
    const bucket *b = bucket_find(name);
    return b == nullptr ? 0 : b->number;
}

result create_bucket(text name, std::int64_t now_s) {
    const std::scoped_lock held(buckets_lock);
    if (bucket_find(name) != nullptr)
        return result::ok;
    if (buckets.size() == bucket_count_max)
        return result::full;
    auto fresh = std::make_unique<bucket>();
    fresh->name = name;
    fresh->number = ++bucket_number_last;
    fresh->created_s = now_s;
    buckets.insert(bucket_place(name), std::move(fresh));
    return result::ok;
}

result delete_bucket(text name) {
    const std::scoped_lock held(buckets_lock);
    bucket *b = bucket_find(name);
    if (b == nullptr)
        return result::no_bucket;
    if (!b->keys.empty())
        return result::not_empty;
    buckets.erase(bucket_place(name));
    return result::ok;
}

result may_create_bucket(text name) {
    const std::shared_lock held(buckets_lock);
    const bool is_new = bucket_find(name) == nullptr;
    return is_new && buckets.size() == bucket_count_max ? result::full : result::ok;
}

result may_delete_bucket(text name) {
    const std::shared_lock held(buckets_lock);
    bucket *b = bucket_find(name);
    if (b == nullptr)
        return result::no_bucket;
    const std::shared_lock keys_held(b->lock);
    return b->keys.empty() ? result::ok : result::not_empty;
}

void each_bucket(bucket_visitor &visitor) {
    const std::shared_lock held(buckets_lock);
    for (const auto &b : buckets)
        visitor.visit(b->name, b->created_s);
}

lookup get(text bucket_name, text key) {
    const place at(bucket_name, key);
    shard &s = at.home();
    {
        const std::scoped_lock held(s.lock);
        const auto found = at.find(s);
        if (found != s.table.end())
            return {result::ok, found->stored};
    }
    return {has_bucket(bucket_name) ? result::no_key : result::no_bucket, nullptr};
}

room::room(text key) noexcept
    : memory_(slab::take(sizeof(entry) + key.size())), bytes_(sizeof(entry) + key.size()) {}

room::room(room &&from) noexcept : memory_(from.release()), bytes_(from.bytes_) {}

room &room::operator=(room &&from) noexcept {
    std::swap(memory_, from.memory_);
    std::swap(bytes_, from.bytes_);
    return *this;
}

room::~room() {
    if (memory_ != nullptr)
        slab::give(memory_, bytes_);
}

void *room::release() noexcept {
    return std::exchange(memory_, nullptr);
}

// Under the bucket's write lock and the shard's lock.
static result insert(bucket &b, shard &s, const place &at, object_ref stored, room &spare) {
    void *memory = spare ? spare.release() : slab::take(sizeof(entry) + at.key.size());
    if (memory == nullptr)
        return result::full;
    auto *e = new (memory) entry(&b, at.hash, at.key, std::move(stored));
    b.keys.insert(*e);
    grow(s);
    s.table.insert(*e);
    return result::ok;
}

static result judge(const write_conditions &asked, const object *present) noexcept {
    switch (precondition(asked, present)) {
    case 404:
        return result::no_key;
    case 412:
        return result::unmet;
    default:
        return result::ok;
    }
}

result may_put(text bucket_name, text key, const write_conditions &asked) {
    if (!asked.are_asked()) // most do not, and need no lookup of the key
        return has_bucket(bucket_name) ? result::ok : result::no_bucket;
    const auto [outcome, found] = get(bucket_name, key);
    return outcome == result::no_bucket ? outcome : judge(asked, found.get());
}

result put(text bucket_name, text key, object_ref stored, const write_conditions &asked, room spare,
           std::uint64_t number) {
    const place at(bucket_name, key);
    shard &s = at.home();
    const std::shared_lock buckets_held(buckets_lock);
    bucket *b = bucket_find(bucket_name);
    if (b == nullptr)
        return result::no_bucket;
    if (number != 0 && b->number != number)
        return result::other_bucket;
    const std::scoped_lock held(b->lock, s.lock);
    const auto found = at.find(s);
    const bool is_new = found == s.table.end();
    if (const result met = judge(asked, is_new ? nullptr : found->stored.get()); met != result::ok)
        return met;
    if (is_new)
        return insert(*b, s, at, std::move(stored), spare);
    found->stored.swap(stored); // the replaced one ends with this call, behind the locks
    return result::ok;
}

static void destroy(entry *e) noexcept {
    const std::size_t bytes = e->bytes();
    e->~entry();
    slab::give(e, bytes);
}

result remove(text bucket_name, text key) {
    const place at(bucket_name, key);
    shard &s = at.home();
    entry *removed = nullptr;
    {
        const std::shared_lock buckets_held(buckets_lock);
        bucket *b = bucket_find(bucket_name);
        if (b == nullptr)
            return result::no_bucket;
        const std::scoped_lock held(b->lock, s.lock);
        const auto found = at.find(s);
        if (found == s.table.end())
            return result::no_key;
        removed = &*found;
        s.table.erase(found);
        b->keys.erase(key_order::s_iterator_to(*removed));
    }
    destroy(removed);
    return result::ok;
}

static listed copy_listed(const entry &e) {
    shard &s = shards[e.hash >> 56];
    const std::scoped_lock held(s.lock);
    return {e.key(), e.stored->size_bytes(), e.stored->modified_s, e.stored->md5, e.stored->parts};
}

result list(text bucket_name, text from, key_visitor &visitor) {
    const std::shared_lock buckets_held(buckets_lock);
    bucket *b = bucket_find(bucket_name);
    if (b == nullptr)
        return result::no_bucket;
    const std::shared_lock held(b->lock);
    for (auto at = b->keys.lower_bound(from); at != b->keys.end();) {
        text target;
        const step wanted = visitor.visit(copy_listed(*at), target);
        if (wanted == step::stop)
            break;
        at = wanted == step::seek ? b->keys.lower_bound(target) : std::next(at);
    }
    return result::ok;
}

} // namespace pausemark::store
