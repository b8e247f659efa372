// A bounded queue between exactly two threads, without locks: one pushes, the other pops.
#pragma once
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>

namespace pausemark {

// Positions only grow and wrap around with size_t; the slot is the position modulo the capacity.
// Each side keeps a copy of the other's position and reads the shared one only when the copy says
// full or empty, so that the line which both share travels once a burst.
template <typename item, std::size_t capacity>
class ring {
    static_assert(std::has_single_bit(capacity));

  public:
    // The producer's. False when it is full.
    [[nodiscard]] bool push(item value) noexcept {
        const std::size_t at = tail_.load(std::memory_order_relaxed);
        if (at - head_seen_ == capacity) {
            head_seen_ = head_.load(std::memory_order_acquire);
            if (at - head_seen_ == capacity)
                return false;
        }
        slots_[at % capacity] = value;
        tail_.store(at + 1, std::memory_order_release);
        return true;
    }

    // The consumer's: the oldest, or null when it is empty. Valid until pop().
    [[nodiscard]] const item *front() noexcept {
        const std::size_t at = head_.load(std::memory_order_relaxed);
        if (at == tail_seen_) {
            tail_seen_ = tail_.load(std::memory_order_acquire);
            if (at == tail_seen_)
                return nullptr;
        }
        return &slots_[at % capacity];
    }
    // The consumer's, after front() gave one.
    void pop() noexcept {
        head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }

  private:
    static constexpr std::size_t line_bytes = 64;
    alignas(line_bytes) std::atomic<std::size_t> tail_ = 0; // written by the producer
    std::size_t head_seen_ = 0;
    alignas(line_bytes) std::atomic<std::size_t> head_ = 0; // written by the consumer
    std::size_t tail_seen_ = 0;
    alignas(line_bytes) std::array<item, capacity> slots_{};
};

} // namespace pausemark
