// Collects a batch, writes it with one call, syncs as the mode says, applies it, gives it back.
#include "log_writer.h"
#include "crc32c.h"
#include "kept.h"
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace pausemark {

constexpr std::size_t record_front_bytes_max =
    round_up_8(record_head_bytes + record_key_bytes_max + record_metadata_bytes_max);
constexpr std::array<char, 8> fill{};

log_writer::log_writer(const log_directory &d, const log_settings &s, const log_end &from,
                       unsigned workers)
    : settings_(s), journal_(d, s.limits, from),
      heads_(new char[batch_writes_max * record_front_bytes_max]), next_lsn_(from.next_lsn),
      durable_lsn_(from.next_lsn - 1) {
    for (unsigned i = 0; i < workers; i++)
        gates_.push_back(std::make_unique<log_gate>(i, bell_));
}

log_writer::~log_writer() {
    stop();
}

bool log_writer::open() {
    return bell_.is_good() && journal_.start();
}

void log_writer::start(std::function<void()> on_failure) {
    on_failure_ = std::move(on_failure);
    thread_ = std::thread([this] { run(); });
}

void log_writer::stop() {
    if (!thread_.joinable())
        return;
    stopping_ = true;
    bell_.ring();
    thread_.join();
}

void log_writer::run() {
    for (;;) {
        collect();
        if (batch_n_ > 0) {
            finish_batch();
            sync_when_due();
            continue;
        }
        const bool ends = stopping_; // before the last look at the queues
        bell_.lie_down();
        collect();
        if (batch_n_ > 0 || ends) {
            bell_.get_up();
            if (batch_n_ > 0)
                continue;
            break;
        }
        if (stopping_)
            bell_.get_up();
        else
            bell_.sleep(patience_ms());
        sync_when_due();
    }
    if (sync_due_ != clock::time_point::max())
        (void)sync();
}

// One write from each queue in turn, until the batch is full, a write has to wait for the next
// one, or the queues are empty.
void log_writer::collect() {
    for (std::size_t empty = 0; empty < gates_.size() && batch_n_ < batch_writes_max;) {
        log_gate &gate = *gates_[next_gate_];
        write *w = gate.peek();
        if (w != nullptr && admit(*w) == admission::next_batch)
            return;
        if (w != nullptr)
            gate.pop();
        empty = w == nullptr ? empty + 1 : 0;
        next_gate_ = (next_gate_ + 1) % gates_.size();
    }
}

static bool is_of_bucket(const write &w) noexcept {
    return w.kind == operation::create_bucket || w.kind == operation::delete_bucket;
}

// Whether judging `w` needs what a record of this batch will only do when it is applied.
bool log_writer::depends_on_batch(const write &w) const noexcept {
    const bool needs_key = w.conditions.are_asked() || w.kind == operation::delete_object;
    for (std::size_t i = 0; i < batch_n_; i++) {
        const write &before = *batch_[i];
        if (!logged_[i])
            continue;
        if (is_of_bucket(before) && is_of_bucket(w))
            return true;
        const bool same_key = is_of_bucket(before) || is_of_bucket(w) || before.key == w.key;
        if ((needs_key || is_of_bucket(before) || is_of_bucket(w)) && same_key &&
            before.bucket == w.bucket)
            return true;
    }
    return false;
}

void log_writer::settle(write &w, error outcome) {
    w.outcome = outcome;
    logged_[batch_n_] = false;
    batch_[batch_n_++] = &w;
}

log_writer::admission log_writer::admit(write &w) {
    if (batch_n_ == 0) {
        timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        now_ns_ = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
    }
    if (failed_) {
        settle(w, error::internal);
        return admission::joined;
    }
    if (record_n_ > 0 && depends_on_batch(w))
        return admission::next_batch;
    const verdict v = judge(w);
    if (v.changes)
        return admit_record(w);
    settle(w, v.outcome);
    return admission::joined;
}

static std::uint64_t record_bytes(const write &w) noexcept {
    const std::size_t key_n = w.bucket.size() + (w.key.empty() ? 0 : 1 + w.key.size());
    const std::uint64_t object_n =
        w.object == nullptr ? 0 : kept_bytes(*w.object) + w.object->size_bytes();
    return round_up_8(record_head_bytes + key_n + object_n);
}

log_writer::admission log_writer::admit_record(write &w) {
    const std::uint64_t bytes = record_bytes(w);
    const bool full = settings_.mode == durability::sync || batch_bytes_ + bytes > batch_bytes_max;
    if (record_n_ > 0 && (full || !journal_.has_room(batch_bytes_, bytes)))
        return admission::next_batch;
    if (!journal_.has_room(batch_bytes_, bytes) && !make_room(bytes)) {
        settle(w, failed_ ? error::internal : error::slow_down);
        return admission::joined;
    }
    add_record(w);
    logged_[batch_n_] = true;
    batch_[batch_n_++] = &w;
    record_n_++;
    batch_bytes_ += bytes;
    return admission::joined;
}

// A new segment, when the batch has no record yet. What only the old one holds is synced first:
// from then on nobody would.
bool log_writer::make_room(std::uint64_t bytes) {
    if (sync_due_ != clock::time_point::max() && !sync())
        return false;
    if (journal_.extend(bytes, next_lsn_))
        return true;
    if (errno != ENOSPC && errno != EDQUOT)
        fail("make a segment");
    return false;
}

void log_writer::add_piece(text bytes) {
    if (!bytes.empty())
        pieces_.push_back({const_cast<char *>(bytes.data()), bytes.size()});
}

void log_writer::add_data(const object &o, std::uint32_t &crc) {
    for (std::uint64_t at = 0; at < o.size_bytes();) {
        const text piece = o.slice(at);
        crc = crc32c(crc, piece);
        add_piece(piece);
        at += piece.size();
    }
}

void log_writer::add_record(write &w) {
    std::array<char, record_key_bytes_max> key;
    record r;
    char *end = std::ranges::copy(w.bucket, key.data()).out;
    if (!w.key.empty()) {
        *end++ = '/';
        end = std::ranges::copy(w.key, end).out;
    }
    r.key = {key.data(), static_cast<std::size_t>(end - key.data())};
    r.kind = w.kind;
    r.lsn = next_lsn_++;
    r.durable_lsn = durable_lsn_;
    r.epoch = journal_.epoch();
    r.time_ns = w.time_ns = now_ns_;
    char *front = heads_.get() + heads_n_;
    if (w.object != nullptr) {
        char *metadata = front + record_head_bytes + r.key.size();
        put_kept(metadata, *w.object);
        r.metadata = {metadata, kept_bytes(*w.object)};
        r.data_bytes = w.object->size_bytes();
        r.md5 = w.object->md5;
        r.parts = w.object->parts;
    }
    put_record(front, r);
    const std::size_t front_n = record_head_bytes + r.key.size() + r.metadata.size();
    heads_n_ += round_up_8(front_n);
    add_piece({front, front_n});
    std::uint32_t crc = crc32c(0, text(front, front_n).substr(8));
    if (w.object != nullptr)
        add_data(*w.object, crc);
    put_record_crc(front, crc);
    add_piece({fill.data(), static_cast<std::size_t>(round_up_8(r.length()) - r.length())});
}

void log_writer::fail(const char *what) {
    const int error = errno;
    if (failed_.exchange(true))
        return; // the first failure is the one that is told
    std::fprintf(stderr, "error: log: cannot %s: %s\n", what, std::strerror(error));
    if (on_failure_)
        on_failure_();
}

bool log_writer::sync() {
    sync_due_ = clock::time_point::max();
    if (!journal_.sync()) {
        fail("sync");
        return false;
    }
    durable_lsn_ = next_lsn_ - 1;
    return true;
}

void log_writer::sync_when_due() {
    if (sync_due_ != clock::time_point::max() && clock::now() >= sync_due_)
        (void)sync();
}

int log_writer::patience_ms() const noexcept {
    if (sync_due_ == clock::time_point::max())
        return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(sync_due_ - clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

bool log_writer::write_batch() {
    if (!journal_.append(pieces_, batch_bytes_)) {
        fail("write");
        return false;
    }
    if (settings_.mode == durability::batch || settings_.mode == durability::sync)
        return sync();
    if (settings_.mode == durability::interval && sync_due_ == clock::time_point::max())
        sync_due_ = clock::now() + std::chrono::milliseconds(settings_.sync_interval_ms);
    return true;
}

void log_writer::finish_batch() {
    const bool good = record_n_ == 0 || write_batch();
    for (std::size_t i = 0; i < batch_n_; i++) {
        write &w = *batch_[i];
        if (logged_[i] && good)
            apply(w);
        else if (logged_[i])
            w.outcome = error::internal;
        gates_[w.worker]->give_back(w);
    }
    for (const auto &gate : gates_)
        gate->wake();
    batch_n_ = record_n_ = heads_n_ = 0;
    batch_bytes_ = 0;
    pieces_.clear();
}

} // namespace pausemark
