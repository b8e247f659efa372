// A change of state: what a request asks for once its checks are done.
#pragma once
#include "error.h"
#include "record.h"
#include "store.h"

namespace pausemark {

namespace multipart {
struct draft;
}

// Its names and conditions are borrowed and must outlive it.
struct write {
    operation kind{};
    text bucket, key;
    write_conditions conditions;           // of a put
    object_ref object;                     // of a put, until it is in the index
    store::room room;                      // of a put that goes through the log
    multipart::draft *completes = nullptr; // the upload that a put ends, when it is one's
    std::int64_t time_ns = 0;              // since 1970 UTC
    error outcome = error::none;
    void *owner = nullptr; // whoever waits; not ours to look into
    unsigned worker = 0;   // whose queue it came from
};

// Does it, now; sets the outcome.
void apply(write &w);
// What it would do, without doing it: the outcome, and whether anything would change.
struct verdict {
    error outcome;
    bool changes;
};
[[nodiscard]] verdict judge(const write &w);
// What the index says of it.
[[nodiscard]] error to_error(store::result done, operation kind) noexcept;

} // namespace pausemark
