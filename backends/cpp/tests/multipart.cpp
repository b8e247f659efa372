// Uploads from begin to end, shared contents, and that what is charged is given back.
#include "multipart.h"
#include "expect.h"
#include "write.h"
#include <thread>

using namespace pausemark;

constexpr std::uint64_t part_bytes = 100'000;

static object_ref make_part(char filling, std::uint64_t bytes = part_bytes) {
    static const kept_headers nothing{};
    object_ref o = object::create(nothing, bytes, 0);
    EXPECT(o != nullptr && o->append(std::string(static_cast<std::size_t>(bytes), filling)));
    return o;
}

static object_ref make_headers() {
    kept_headers kept;
    kept.values[kept_header::content_type] = "a/b";
    return object::create(kept, 0, 1);
}

static std::string begin(text bucket) {
    std::string id;
    EXPECT(multipart::begin(bucket, "k", make_headers(), 0, id) == error::none && id.size() == 32);
    return id;
}

static pausemark::write change(operation kind, text key = {}) {
    pausemark::write w;
    w.kind = kind;
    w.bucket = "bucket";
    w.key = key;
    return w;
}

static error apply_bucket(operation kind) {
    pausemark::write w = change(kind);
    apply(w);
    return w.outcome;
}

static void test_sharing() {
    const std::uint64_t before = content::charged_by_all();
    kept_headers kept;
    kept.values[kept_header::content_type] = "c/d";
    object_ref plain = make_part('x');
    plain->md5.fill(1);
    object_ref copy = object::copy(*plain, kept, 1);
    const char *bytes = plain->slice(0).data();
    EXPECT(copy != nullptr && copy->slice(0).data() == bytes && copy->md5 == plain->md5);
    EXPECT(content::charged_by_all() - before > 2 * part_bytes);
    plain.reset();
    EXPECT(content::charged_by_all() - before < 2 * part_bytes);
    const object_ref second = object::copy(*copy, kept, 1);
    copy.reset();
    EXPECT(second->slice(0).data() == bytes && second->kept()[kept_header::content_type] == "c/d");
    EXPECT(second->whole() == std::string(part_bytes, 'x'));
    const object_ref small = make_part('y', 10), small_copy = object::copy(*small, kept, 1);
    EXPECT(small_copy->slice(0).data() != small->slice(0).data() &&
           small_copy->whole().size() == 10);
}

static void test_joining() {
    kept_headers kept;
    const std::array pieces{make_part('x'), make_part('y', 0), make_part('z')};
    const object_ref whole = object::join(pieces, kept, 1);
    EXPECT(whole->size_bytes() == 2 * part_bytes && whole->slice(part_bytes - 1) == "x");
    EXPECT(whole->slice(part_bytes).front() == 'z');
    EXPECT(whole->whole() == std::string(part_bytes, 'x') + std::string(part_bytes, 'z'));
    const object_ref copy = object::copy(*whole, kept, 1);
    EXPECT(copy->slice(part_bytes).data() == pieces[2]->slice(0).data());
    object_ref part = make_part('-', 0);
    part = object::create(kept, 4, 0);
    EXPECT(part->append_range(*whole, part_bytes - 2, part_bytes + 2) && part->whole() == "xxzz");
    const std::array empty{make_part('-', 0)};
    EXPECT(object::join(empty, kept, 1)->size_bytes() == 0);
}

static error complete(multipart::claim &claim) {
    const object_ref pieces[] = {claim->parts.at(1)};
    pausemark::write w = change(operation::put_object, "k");
    w.object = object::join(pieces, kept_headers{}, 1);
    w.completes = &*claim;
    const verdict v = judge(w);
    apply(w);
    EXPECT(v.outcome == w.outcome); // what the log would decide is what happens
    return w.outcome;
}

static void test_completion() {
    const std::uint64_t before = content::charged_by_all();
    const std::string id = begin("bucket");
    const multipart::address at{"bucket", "k", id};
    EXPECT(multipart::put_part(at, 1, make_part('x')) == error::none);
    EXPECT(multipart::put_part(at, 2, make_part('y')) == error::none);
    {
        multipart::claim claim, other;
        EXPECT(claim.take(at) == error::none && other.take(at) == error::no_such_upload);
        EXPECT(multipart::put_part(at, 1, make_part('z')) == error::no_such_upload);
        EXPECT(multipart::list("bucket").size() == 1);
    }
    multipart::claim claim;
    EXPECT(claim.take(at) == error::none && complete(claim) == error::none);
    EXPECT(multipart::find(at) == error::no_such_upload && multipart::list("bucket").empty());
    // The part that was not named is gone, and the other is charged once.
    EXPECT(content::charged_by_all() - before < 2 * part_bytes);
    EXPECT(store::get("bucket", "k").found->whole() == std::string(part_bytes, 'x'));
    EXPECT(store::remove("bucket", "k") == store::result::ok);
    EXPECT(content::charged_by_all() - before < part_bytes);
}

// An upload ends with its bucket, also when another one has the name at once, and also while it is
// being completed.
static void test_orphans() {
    const std::string id = begin("bucket");
    const multipart::address at{"bucket", "k", id};
    EXPECT(multipart::put_part(at, 1, make_part('x')) == error::none);
    multipart::claim claim;
    EXPECT(claim.take(at) == error::none);
    EXPECT(apply_bucket(operation::delete_bucket) == error::none);
    EXPECT(complete(claim) == error::no_such_bucket);
    EXPECT(apply_bucket(operation::create_bucket) == error::none);
    EXPECT(complete(claim) == error::no_such_upload);
    EXPECT(store::get("bucket", "k").outcome == store::result::no_key);
    EXPECT(multipart::find(at) == error::no_such_upload);
    EXPECT(multipart::abort({"bucket", "k", begin("bucket")}) == error::none);
}

static void test_limit() {
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < multipart::open_count_max; i++)
        ids.push_back(begin("bucket"));
    std::string id;
    EXPECT(multipart::begin("bucket", "k", make_headers(), 0, id) == error::slow_down);
    EXPECT(multipart::begin("other", "k", make_headers(), 0, id) == error::no_such_bucket);
    for (const std::string &one : ids)
        EXPECT(multipart::abort({"bucket", "k", one}) == error::none);
}

// What sanitizers see of parts that are put while others claim.
static void test_threads() {
    std::vector<std::thread> threads;
    const std::string id = begin("bucket");
    const multipart::address at{"bucket", "k", id};
    for (char name = 'a'; name < 'e'; name++) {
        threads.emplace_back([at, name] {
            for (int i = 0; i < 200; i++) {
                (void)multipart::put_part(at, 1, make_part(name, 70'000));
                multipart::claim claim; // and given up at once
                (void)claim.take(at);
            }
        });
    }
    for (std::thread &t : threads)
        t.join();
    multipart::claim claim;
    EXPECT(claim.take(at) == error::none && complete(claim) == error::none);
    EXPECT(store::get("bucket", "k").found->size_bytes() == 70'000);
    EXPECT(store::remove("bucket", "k") == store::result::ok);
}

int main() {
    slab::start(false); // malloc, so that ASan sees every block
    object::limit_store(std::uint64_t{64} << 20);
    EXPECT(store::start() && apply_bucket(operation::create_bucket) == error::none);
    test_sharing();
    test_joining();
    test_completion();
    test_orphans();
    test_limit();
    test_threads();
    EXPECT(content::charged_by_all() == 0);
    std::puts("multipart: good");
    return 0;
}
