// From a record to the write that it was.
#include "replay.h"
#include "kept.h"
#include "write.h"
#include <cstdio>

namespace pausemark {

bool replay::refuse(const record &r, const char *why) const {
    std::fprintf(stderr, "error: recovery: the record with LSN %ju cannot be applied: %s\n",
                 std::uintmax_t{r.lsn}, why);
    return false;
}

static object_ref make_object(const record &r, const kept_headers &kept, std::size_t key_n) {
    object_ref o = object::create(kept, r.data_bytes, key_n);
    if (o == nullptr || !o->append(r.data))
        return nullptr;
    o->md5 = r.md5;
    o->parts = r.parts;
    return o;
}

bool replay::visit(const record &r) {
    write w;
    w.kind = r.kind;
    w.time_ns = r.time_ns;
    w.key = r.key;
    w.bucket = cut(w.key, '/');
    const bool of_object = r.kind == operation::put_object || r.kind == operation::delete_object;
    if (w.bucket.empty() || of_object != !w.key.empty())
        return refuse(r, "expected bucket/key of an object, or a bucket's name");
    if (r.kind == operation::put_object) {
        kept_headers kept;
        if (!read_kept(r.metadata, kept))
            return refuse(r, "expected metadata as names and values ended by NUL");
        w.object = make_object(r, kept, w.key.size());
        full_ = w.object == nullptr;
    }
    if (full_) {
        std::fprintf(stderr,
                     "error: recovery: the log holds more than --store-bytes-max, expected at most "
                     "%ju bytes, got %ju and a record of %ju more\n",
                     std::uintmax_t{store_bytes_max_}, std::uintmax_t{object::charged_by_all()},
                     std::uintmax_t{r.length()});
        return false;
    }
    apply(w);
    return w.outcome == error::none || refuse(r, describe(w.outcome).message.data());
}

} // namespace pausemark
