// The cached clock and the mixing of request ids.
#include "desk.h"
#include <cstring>
#include <ctime>
#include <new>
#include <sys/random.h>

namespace pausemark {

static std::unique_ptr<verifier> make_guard(const options &o) {
    if (!o.verifies)
        return nullptr;
    auto made = std::make_unique<verifier>(o.credentials);
    if (!made->open())
        throw std::bad_alloc(); // at start, where exceptions are caught
    return made;
}

desk::desk(const options &o, unsigned index, log_gate *log)
    : limits(o), gate(log), guard(make_guard(o)), index_(index) {
    tick();
    if (getrandom(&request_seed_, sizeof request_seed_, GRND_NONBLOCK) < 0)
        request_seed_ = static_cast<std::uint64_t>(wall_s_);
}

void desk::tick() noexcept {
    timespec wall, steady;
    clock_gettime(CLOCK_REALTIME_COARSE, &wall);
    clock_gettime(CLOCK_MONOTONIC_COARSE, &steady);
    now_s_ = steady.tv_sec;
    if (wall.tv_sec == wall_s_)
        return;
    wall_s_ = wall.tv_sec;
    date_ = to_http_date(wall_s_);
}

// Unique because every step is a bijection of (worker, count); mixed so that it looks like what
// clients are used to.
desk::request_id desk::next_request_id() noexcept {
    constexpr text digits = "0123456789ABCDEF";
    std::uint64_t x = std::uint64_t{index_} << 56 | (request_count_++ & (~std::uint64_t{0} >> 8));
    x += request_seed_;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    request_id id;
    for (std::size_t i = id.size(); i-- > 0; x >>= 4)
        id[i] = digits[x & 15];
    return id;
}

void desk::put(text bytes) noexcept {
    std::memcpy(output.data() + output_n, bytes.data(), bytes.size());
    output_n += bytes.size();
}

} // namespace pausemark
