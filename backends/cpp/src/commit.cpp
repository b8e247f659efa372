// What a write must have before the log promises it.
#include "commit.h"
#include "kept.h"
#include "log_writer.h"

namespace pausemark {

static error prepare(write &w) noexcept {
    if (w.kind != operation::put_object)
        return error::none;
    if (kept_bytes(*w.object) > record_metadata_bytes_max)
        return error::metadata_too_large;
    w.room = store::room(w.key);
    return w.room ? error::none : error::slow_down;
}

bool commit(call &c, write &w) {
    if (c.at.gate == nullptr) {
        constexpr std::int64_t ns_per_s = 1'000'000'000;
        w.time_ns = c.at.wall_s() * ns_per_s;
        apply(w);
        return true;
    }
    w.owner = &c;
    w.outcome = prepare(w);
    if (w.outcome != error::none)
        return true;
    if (c.at.gate->submit(w)) {
        // The outcome is the writer's from here on, who may have given it already: not to be read.
        c.waiting++;
        return false;
    }
    w.outcome = error::slow_down;
    return true;
}

} // namespace pausemark
