// The only place where writes and the index meet: in ram, behind the log, and in recovery.
#include "write.h"
#include "multipart.h"

namespace pausemark {

constexpr std::int64_t ns_per_s = 1'000'000'000;

error to_error(store::result done, operation kind) noexcept {
    switch (done) {
    case store::result::ok:
        return error::none;
    case store::result::no_key: // counts as deleted, but a condition may want it
        return kind == operation::put_object ? error::no_such_key : error::none;
    case store::result::no_bucket:
        return error::no_such_bucket;
    case store::result::other_bucket: // the upload ended with its own
        return error::no_such_upload;
    case store::result::not_empty:
        return error::bucket_not_empty;
    case store::result::unmet:
        return error::precondition_failed;
    case store::result::full:
        break;
    }
    return kind == operation::create_bucket ? error::too_many_buckets : error::slow_down;
}

static store::result put_object(write &w) {
    w.object->modified_s = w.time_ns / ns_per_s;
    if (w.completes == nullptr)
        return store::put(w.bucket, w.key, std::move(w.object), w.conditions, std::move(w.room));
    w.object->take_charge(); // the parts give theirs back
    const store::result done = store::put(w.bucket, w.key, std::move(w.object), w.conditions,
                                          std::move(w.room), w.completes->bucket_number);
    if (done == store::result::ok)
        multipart::finish(*w.completes);
    return done;
}

static store::result delete_bucket(const write &w) {
    const store::result done = store::delete_bucket(w.bucket);
    if (done == store::result::ok)
        multipart::end_orphans(w.bucket);
    return done;
}

static store::result perform(write &w) {
    switch (w.kind) {
    case operation::put_object:
        return put_object(w);
    case operation::delete_object:
        return store::remove(w.bucket, w.key);
    case operation::create_bucket:
        return store::create_bucket(w.bucket, w.time_ns / ns_per_s);
    case operation::delete_bucket:
        break;
    }
    return delete_bucket(w);
}

void apply(write &w) {
    w.outcome = to_error(perform(w), w.kind);
}

static verdict judge_key(const write &w) {
    const store::result found = w.kind == operation::put_object
                                    ? store::may_put(w.bucket, w.key, w.conditions)
                                    : store::get(w.bucket, w.key).outcome;
    return {to_error(found, w.kind), found == store::result::ok};
}

verdict judge(const write &w) {
    if (w.completes != nullptr && store::bucket_number(w.bucket) != w.completes->bucket_number)
        return {store::has_bucket(w.bucket) ? error::no_such_upload : error::no_such_bucket, false};
    if (w.kind == operation::delete_object || w.kind == operation::put_object)
        return judge_key(w);
    if (w.kind == operation::create_bucket && store::has_bucket(w.bucket))
        return {error::none, false};
    const error outcome =
        to_error(w.kind == operation::create_bucket ? store::may_create_bucket(w.bucket)
                                                    : store::may_delete_bucket(w.bucket),
                 w.kind);
    return {outcome, outcome == error::none};
}

} // namespace pausemark
