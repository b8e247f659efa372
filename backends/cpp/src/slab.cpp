// Free lists per size class behind one lock each. std::pmr's synchronized pool would do the same,
// but it throws when memory ends and gives chunks back at moments of its own; here a full store is
// a null pointer, and what a peak needed stays mapped, so that a steady state never calls mmap.
#include "slab.h"
#include <array>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <sys/mman.h>

namespace pausemark::slab {

constexpr std::size_t class_count = 21; // 64, 96, 128, 192 ... 65536: at most a third is wasted
constexpr std::size_t chunk_bytes = std::size_t{1} << 20;

struct free_block {
    free_block *next;
};

struct alignas(64) size_class {
    std::mutex lock;
    free_block *free = nullptr;
    std::byte *fresh = nullptr; // the uncut rest of the newest chunk
    std::size_t fresh_bytes = 0;
};

static std::array<size_class, class_count> classes;
static bool pool = true;

void start(bool use_pool) noexcept {
    pool = use_pool;
}

static std::size_t class_bytes(std::size_t index) noexcept {
    const std::size_t power = std::size_t{64} << (index / 2);
    return index % 2 == 0 ? power : power + power / 2;
}

static std::size_t class_of(std::size_t bytes) noexcept {
    if (bytes <= 64)
        return 0;
    const std::size_t below = std::bit_floor(bytes - 1); // below < bytes <= 2 * below
    const auto index = 2 * (static_cast<std::size_t>(std::bit_width(below)) - 7);
    return bytes <= below + below / 2 ? index + 1 : index + 2;
}

// Under the class's lock: the first block of the fresh chunk, or of a new one.
static void *cut_fresh(size_class &c, std::size_t bytes) noexcept {
    if (c.fresh_bytes < bytes) {
        void *chunk =
            mmap(nullptr, chunk_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (chunk == MAP_FAILED)
            return nullptr;
        c.fresh = static_cast<std::byte *>(chunk);
        c.fresh_bytes = chunk_bytes;
    }
    void *block = c.fresh;
    c.fresh += bytes;
    c.fresh_bytes -= bytes;
    return block;
}

void *take(std::size_t bytes) noexcept {
    if (!pool)
        return std::malloc(bytes == 0 ? 1 : bytes);
    const std::size_t index = class_of(bytes);
    size_class &c = classes[index];
    const std::scoped_lock held(c.lock);
    if (c.free == nullptr)
        return cut_fresh(c, class_bytes(index));
    free_block *block = c.free;
    c.free = block->next;
    return block;
}

void give(void *block, std::size_t bytes) noexcept {
    if (!pool || block == nullptr) {
        std::free(block);
        return;
    }
    size_class &c = classes[class_of(bytes)];
    const std::scoped_lock held(c.lock);
    c.free = new (block) free_block{c.free};
}

} // namespace pausemark::slab
