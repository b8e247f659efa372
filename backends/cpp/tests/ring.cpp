// Two threads and one small ring, under ThreadSanitizer: every number arrives once and in order.
#include "ring.h"
#include "expect.h"
#include <thread>

using namespace pausemark;

// What is pushed points at memory that the producer wrote without any lock: a missing release or
// acquire is a race on it.
template <std::size_t capacity>
static void stress(std::size_t count) {
    struct message {
        std::size_t number = 0;
    };
    static ring<message *, capacity> queue, back;
    static std::array<message, 2 * capacity> messages;
    for (message &m : messages)
        EXPECT(back.push(&m) || &m >= &messages[capacity]);
    std::thread producer([count] {
        for (std::size_t i = 0; i < count;) {
            message *const *free = back.front();
            if (free == nullptr) {
                std::this_thread::yield();
                continue;
            }
            message *m = *free;
            back.pop();
            m->number = i++;
            while (!queue.push(m))
                std::this_thread::yield();
        }
    });
    for (std::size_t i = 0; i < count;) {
        message *const *next = queue.front();
        if (next == nullptr) {
            std::this_thread::yield();
            continue;
        }
        message *m = *next;
        queue.pop();
        EXPECT(m->number == i);
        i++;
        EXPECT(back.push(m));
    }
    producer.join();
    EXPECT(queue.front() == nullptr);
}

static void test_bounds() {
    ring<int, 4> r;
    EXPECT(r.front() == nullptr);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++)
            EXPECT(r.push(i));
        EXPECT(!r.push(4));
        for (int i = 0; i < 4; i++) {
            EXPECT(r.front() != nullptr && *r.front() == i);
            r.pop();
        }
        EXPECT(r.front() == nullptr);
    }
}

int main() {
    test_bounds();
    stress<1>(20'000);
    stress<2>(100'000);
    stress<1024>(1'000'000);
    std::puts("ring: good");
    return 0;
}
