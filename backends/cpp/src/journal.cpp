// Appending, and the change from one segment to the next.
#include "journal.h"
#include <cerrno>

namespace pausemark {

constexpr const char *own_name = "segment-own.log.new"; // made by the writer itself

zero_maker::zero_maker(const log_directory &d, std::uint64_t bytes)
    : directory_(d), bytes_(bytes), thread_([this] { run(); }) {}

zero_maker::~zero_maker() {
    {
        const std::scoped_lock held(lock_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
    if (made_)
        directory_.remove(name);
}

void zero_maker::ask() {
    {
        const std::scoped_lock held(lock_);
        state_ = state::asked;
    }
    changed_.notify_all();
}

descriptor zero_maker::take() {
    std::unique_lock held(lock_);
    changed_.wait(held, [this] { return state_ != state::asked; });
    state_ = state::idle;
    return std::move(made_);
}

void zero_maker::run() {
    std::unique_lock held(lock_);
    for (;;) {
        changed_.wait(held, [this] { return ending_ || state_ == state::asked; });
        if (ending_)
            return;
        held.unlock();
        descriptor file = directory_.make_zeros(name, bytes_);
        held.lock();
        made_ = std::move(file);
        state_ = state::made;
        changed_.notify_all();
    }
}

journal::journal(const log_directory &d, const journal_limits &limits, const log_end &from)
    : directory_(d), limits_(limits), first_lsn_(from.first_lsn), offset_(from.offset),
      segment_bytes_(from.segment_bytes), log_bytes_(from.log_bytes), epoch_(from.epoch),
      ahead_(d, limits.segment_bytes) {
    if (from.epoch == 0)
        first_lsn_ = from.next_lsn;
}

bool journal::start() {
    if (epoch_ == 0) {
        if (limits_.segment_bytes > limits_.log_bytes_max)
            return true; // a log that may not hold anything refuses every write
        return extend(0, first_lsn_);
    }
    file_ = directory_.open_segment(first_lsn_);
    return static_cast<bool>(file_);
}

// The one that was made ahead when it has the right size, or one that is made now.
descriptor journal::make_file(std::uint64_t bytes, const char *&name) {
    if (bytes == limits_.segment_bytes && asked_ahead_) {
        asked_ahead_ = false;
        name = zero_maker::name;
        if (descriptor made = ahead_.take())
            return made;
    }
    name = own_name;
    return directory_.make_zeros(own_name, bytes);
}

bool journal::extend(std::uint64_t record_bytes, std::uint64_t first_lsn) {
    const std::uint64_t bytes = std::max(limits_.segment_bytes, segment_head_bytes + record_bytes);
    if (bytes > limits_.log_bytes_max || log_bytes_ > limits_.log_bytes_max - bytes) {
        errno = ENOSPC;
        return false;
    }
    const char *name = nullptr;
    descriptor file = make_file(bytes, name);
    if (!file || !directory_.make_segment(file, name, {epoch_ + 1, first_lsn, bytes}))
        return false;
    file_ = std::move(file);
    first_lsn_ = first_lsn;
    offset_ = segment_head_bytes;
    segment_bytes_ = bytes;
    log_bytes_ += bytes;
    epoch_++;
    return true;
}

bool journal::append(std::span<iovec> pieces, std::uint64_t bytes) {
    if (!write_all(file_.get(), pieces, offset_))
        return false;
    offset_ += bytes;
    const bool may_grow = limits_.segment_bytes <= limits_.log_bytes_max &&
                          log_bytes_ <= limits_.log_bytes_max - limits_.segment_bytes;
    if (!asked_ahead_ && may_grow && offset_ > segment_bytes_ / 2) {
        asked_ahead_ = true;
        ahead_.ask();
    }
    return true;
}

bool journal::sync() noexcept {
    return !file_ || fdatasync(file_.get()) == 0;
}

} // namespace pausemark
