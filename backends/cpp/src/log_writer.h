// The one thread that writes the log, applies what it wrote to the index, and gives each write back
// to the worker that it came from.
#pragma once
#include "journal.h"
#include "options.h"
#include "ring.h"
#include "write.h"
#include <functional>
#include <memory>

namespace pausemark {

inline constexpr std::size_t queue_writes_max = 1024;

// Sleeps until somebody rings; a ring is a system call only when somebody sleeps.
class bell {
  public:
    bell() noexcept;
    [[nodiscard]] bool is_good() const noexcept {
        return static_cast<bool>(fd_);
    }
    void ring() noexcept;
    // The one sleeper says so, looks once more for work, and then sleeps or takes it back.
    void lie_down() noexcept {
        sleeping_.exchange(true, std::memory_order_acq_rel);
    }
    void get_up() noexcept {
        sleeping_.exchange(false, std::memory_order_acq_rel);
    }
    void sleep(int timeout_ms) noexcept;

  private:
    descriptor fd_;
    // Exchanged on both sides, so that one of the two always sees what the other did before.
    std::atomic<bool> sleeping_ = false;
};

// Between one worker and the writer. A place in the queue is taken from submit() until drain()
// hands the write back, so neither ring can overflow.
class log_gate {
  public:
    log_gate(unsigned worker, bell &writer) noexcept : worker_(worker), writer_(writer) {}

    // The worker's. False when the queue is full. The write stays where it is until it comes back.
    [[nodiscard]] bool submit(write &w) noexcept;
    // The worker's, once a round: wakes the writer for all that was submitted. A writer on the same
    // processor would else take it at every write, and each write would be a batch of its own.
    void hand_over() noexcept;
    template <typename action>
    void drain(action &&act) {
        woken_.exchange(false, std::memory_order_acq_rel);
        while (write *const *w = done_.front()) {
            write &back = **w;
            done_.pop();
            in_flight_--;
            act(back);
        }
    }
    // Called by the writer when there is something to drain; set before the writer starts.
    std::function<void()> on_done;

    // The writer's.
    [[nodiscard]] write *peek() noexcept {
        write *const *w = asked_.front();
        return w == nullptr ? nullptr : *w;
    }
    void pop() noexcept {
        asked_.pop();
    }
    void give_back(write &w) noexcept;
    // Once a batch: calls on_done unless an earlier call is still on its way.
    void wake();

  private:
    const unsigned worker_;
    bell &writer_;
    std::size_t in_flight_ = 0; // the worker's
    bool owes_ring_ = false;    // the worker's
    bool owes_wake_ = false;    // the writer's
    std::atomic<bool> woken_ = false;
    ring<write *, queue_writes_max> asked_, done_;
};

struct log_settings {
    durability mode = durability::batch;
    std::uint64_t sync_interval_ms = 100;
    journal_limits limits{};
};

class log_writer {
  public:
    log_writer(const log_directory &d, const log_settings &s, const log_end &from,
               unsigned workers);
    ~log_writer(); // ends the thread, when all that was submitted is done
    log_writer(const log_writer &) = delete;
    log_writer &operator=(const log_writer &) = delete;

    // Opens the log's end. False with errno set.
    [[nodiscard]] bool open();
    [[nodiscard]] log_gate &gate(unsigned worker) noexcept {
        return *gates_[worker];
    }
    // `on_failure` is called once, on the writer's thread, when the log can no longer be written.
    void start(std::function<void()> on_failure);
    // Writes what was submitted, syncs, and ends the thread.
    void stop();
    [[nodiscard]] bool has_failed() const noexcept {
        return failed_;
    }

  private:
    enum class admission { joined, next_batch };
    void run();
    void collect();
    [[nodiscard]] admission admit(write &w);
    [[nodiscard]] bool depends_on_batch(const write &w) const noexcept;
    [[nodiscard]] admission admit_record(write &w);
    [[nodiscard]] bool make_room(std::uint64_t bytes);
    void add_record(write &w);
    void add_data(const object &o, std::uint32_t &crc);
    void add_piece(text bytes);
    void settle(write &w, error outcome);
    void finish_batch();
    [[nodiscard]] bool write_batch();
    [[nodiscard]] bool sync();
    void sync_when_due();
    [[nodiscard]] int patience_ms() const noexcept;
    void fail(const char *what);

    static constexpr std::size_t batch_writes_max = 64;
    static constexpr std::uint64_t batch_bytes_max = std::uint64_t{256} << 10;
    using clock = std::chrono::steady_clock;

    const log_settings settings_;
    journal journal_;
    bell bell_;
    std::vector<std::unique_ptr<log_gate>> gates_;
    std::size_t next_gate_ = 0;

    // The batch. `logged_` says which of its writes have a record.
    std::array<write *, batch_writes_max> batch_;
    std::array<bool, batch_writes_max> logged_;
    std::size_t batch_n_ = 0, record_n_ = 0;
    std::uint64_t batch_bytes_ = 0;
    std::vector<iovec> pieces_;     // keeps its capacity
    std::unique_ptr<char[]> heads_; // heads, keys and metadata of the batch's records
    std::size_t heads_n_ = 0;

    std::uint64_t next_lsn_, durable_lsn_;
    std::int64_t now_ns_ = 0; // the batch's time
    clock::time_point sync_due_ = clock::time_point::max();
    std::atomic<bool> stopping_ = false, failed_ = false;
    std::function<void()> on_failure_;
    std::thread thread_;
};

} // namespace pausemark
