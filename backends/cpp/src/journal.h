// The end of the log that is appended to: the current segment, and the next one made ahead.
#pragma once
#include "recovery.h"
#include <condition_variable>
#include <mutex>
#include <thread>

namespace pausemark {

struct journal_limits {
    std::uint64_t segment_bytes, log_bytes_max;
};

// Makes files of zeros on a thread of its own, because a device takes its time for them.
class zero_maker {
  public:
    zero_maker(const log_directory &d, std::uint64_t bytes);
    ~zero_maker();
    zero_maker(const zero_maker &) = delete;
    zero_maker &operator=(const zero_maker &) = delete;

    void ask();
    // The file when one was asked for, made or being made; waits for it. Empty: there is none.
    [[nodiscard]] descriptor take();
    static constexpr const char *name = "segment-ahead.log.new";

  private:
    enum class state { idle, asked, made };
    void run();

    const log_directory &directory_;
    const std::uint64_t bytes_;
    std::mutex lock_;
    std::condition_variable changed_;
    state state_ = state::idle;
    bool ending_ = false;
    descriptor made_;
    std::thread thread_; // last: it uses all of the above
};

// One thread appends. Failures leave the reason in errno.
class journal {
  public:
    journal(const log_directory &d, const journal_limits &limits, const log_end &from);

    // The log's file is open; call once before anything else. A log that has no segment yet gets
    // one when its limits allow.
    [[nodiscard]] bool start();
    // Room for one more record behind `pending_bytes` that are not written yet.
    [[nodiscard]] bool has_room(std::uint64_t pending_bytes,
                                std::uint64_t record_bytes) const noexcept {
        return offset_ + pending_bytes + record_bytes <= segment_bytes_;
    }
    // Goes on in a new segment that begins with `first_lsn`. False: the log or the disk is full.
    [[nodiscard]] bool extend(std::uint64_t record_bytes, std::uint64_t first_lsn);
    // The pieces are used up. False: the log must not be used any more.
    [[nodiscard]] bool append(std::span<iovec> pieces, std::uint64_t bytes);
    [[nodiscard]] bool sync() noexcept;
    [[nodiscard]] std::uint32_t epoch() const noexcept {
        return epoch_;
    }

  private:
    [[nodiscard]] descriptor make_file(std::uint64_t bytes, const char *&name);

    const log_directory &directory_;
    const journal_limits limits_;
    descriptor file_;
    std::uint64_t first_lsn_, offset_, segment_bytes_, log_bytes_;
    std::uint32_t epoch_;
    bool asked_ahead_ = false;
    zero_maker ahead_;
};

} // namespace pausemark
