// One table behind one lock: there are few uploads, and each is asked for a few times a second.
#include "multipart.h"
#include "request.h"
#include "store.h"
#include <algorithm>
#include <mutex>
#include <sys/random.h>
#include <tuple>

namespace pausemark::multipart {

// Never destroyed, as the store.
static auto &drafts = *new std::map<std::string, draft_ref, std::less<>>; // by id
static std::mutex lock;

address address_of(const request &r) noexcept {
    return {r.bucket, r.key, r.upload_id};
}

// Ids are not to be guessed: who knows one may add parts to another's object.
static bool make_id(std::string &id) {
    std::array<std::uint8_t, 16> random;
    if (getrandom(random.data(), random.size(), 0) != ssize_t{random.size()})
        return false;
    id.resize(2 * random.size());
    put_hex(id.data(), random);
    return true;
}

error begin(text bucket, text key, object_ref headers, std::int64_t now_s, std::string &id) {
    if (!make_id(id))
        return error::internal;
    const std::scoped_lock held(lock);
    // Under the lock, so that a bucket that is deleted now finds the upload when it ends its own.
    const std::uint64_t number = store::bucket_number(bucket);
    if (number == 0)
        return error::no_such_bucket;
    if (drafts.size() == open_count_max)
        return error::slow_down;
    drafts.emplace(id, new draft{std::string(bucket), std::string(key), id, number, now_s,
                                 std::move(headers)});
    return error::none;
}

// Under the lock. `wrong` says why there is none.
static draft_ref look_up(const address &a, error &wrong) {
    const std::uint64_t number = store::bucket_number(a.bucket);
    wrong = number == 0 ? error::no_such_bucket : error::no_such_upload;
    const auto found = drafts.find(a.id);
    if (found == drafts.end())
        return nullptr;
    const draft &d = *found->second;
    if (d.claimed || d.bucket_number != number || d.key != a.key)
        return nullptr;
    wrong = error::none;
    return found->second;
}

error find(const address &a) {
    error wrong;
    const std::scoped_lock held(lock);
    (void)look_up(a, wrong);
    return wrong;
}

error put_part(const address &a, std::uint16_t number, object_ref part) {
    error wrong;
    {
        const std::scoped_lock held(lock);
        if (const draft_ref d = look_up(a, wrong))
            d->parts[number].swap(part);
    }
    return wrong; // what was replaced ends behind the lock
}

error abort(const address &a) {
    error wrong;
    draft_ref ended;
    {
        const std::scoped_lock held(lock);
        ended = look_up(a, wrong);
        if (ended != nullptr)
            drafts.erase(ended->id);
    }
    return wrong;
}

error list_parts(const address &a, std::uint64_t after, std::uint64_t parts_max, parts_page &page) {
    error wrong;
    const std::scoped_lock held(lock);
    const draft_ref d = look_up(a, wrong);
    if (d == nullptr || after >= part_number_max)
        return wrong;
    auto at = d->parts.upper_bound(static_cast<std::uint16_t>(after));
    for (; at != d->parts.end() && page.parts.size() < parts_max; ++at)
        page.parts.push_back(*at);
    page.is_truncated = at != d->parts.end() && parts_max > 0;
    return wrong;
}

std::vector<std::shared_ptr<const draft>> list(text bucket) {
    std::vector<std::shared_ptr<const draft>> found;
    {
        const std::scoped_lock held(lock);
        const std::uint64_t number = store::bucket_number(bucket);
        for (const auto &[id, d] : drafts) {
            if (d->bucket_number == number)
                found.push_back(d);
        }
    }
    std::ranges::sort(found, {}, [](const auto &d) { return std::tie(d->key, d->id); });
    return found;
}

error claim::take(const address &a) {
    error wrong;
    const std::scoped_lock held(lock);
    draft_ = look_up(a, wrong);
    if (draft_ != nullptr)
        draft_->claimed = true;
    return wrong;
}

claim::~claim() {
    if (draft_ == nullptr)
        return;
    const std::scoped_lock held(lock);
    draft_->claimed = false; // one that has ended is in no table, where nobody finds it
}

void finish(draft &d) {
    const part_map parts = std::move(d.parts); // ends behind the lock
    const std::scoped_lock held(lock);
    drafts.erase(d.id);
}

void end_orphans(text bucket) {
    std::vector<draft_ref> ended; // behind the lock
    const std::scoped_lock held(lock);
    const std::uint64_t number = store::bucket_number(bucket);
    std::erase_if(drafts, [&](const auto &item) {
        const bool is_orphan =
            item.second->bucket == bucket && item.second->bucket_number != number;
        if (is_orphan)
            ended.push_back(item.second);
        return is_orphan;
    });
}

} // namespace pausemark::multipart
