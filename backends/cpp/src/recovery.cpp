// The hole is the first place that holds no valid record. Whether it is the torn end or the loss of
// something synced is told by the durable LSN of any valid record behind it.
#include "recovery.h"
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sys/stat.h>

namespace pausemark {

// A segment in memory, as it is on the disk.
struct segment_copy {
    descriptor file;
    std::uint64_t first_lsn = 0; // by its name
    std::unique_ptr<char[]> memory;
    text bytes;
    std::optional<segment_head> head; // when it is valid
};

struct place {
    std::uint64_t first_lsn, offset;
};

class reader {
  public:
    reader(const log_directory &d, record_visitor &v, log_end &e) noexcept
        : directory_(d), visitor_(v), end_(e) {}
    [[nodiscard]] recovered run();

  private:
    [[nodiscard]] bool load(std::uint64_t first_lsn, segment_copy &s);
    [[nodiscard]] recovered read_all();
    [[nodiscard]] recovered read_records(const segment_copy &s, bool &whole);
    [[nodiscard]] recovered look_behind();
    void look_behind(const segment_copy &s, std::uint64_t from);
    [[nodiscard]] recovered drop_tail();
    [[nodiscard]] recovered fail(const char *what) const;
    [[nodiscard]] recovered refuse() const;

    const log_directory &directory_;
    record_visitor &visitor_;
    log_end &end_;
    std::vector<std::uint64_t> names_;
    std::size_t kept_ = 0; // how many segments the log keeps
    segment_copy last_;    // the last that is kept, where the hole is
    bool head_lost_ = false;
    std::optional<place> proof_; // of corruption
    std::uint64_t dropped_bytes_ = 0;
};

recovered reader::fail(const char *what) const {
    std::fprintf(stderr, "error: recovery: cannot %s in %s: %s\n", what, directory_.path().c_str(),
                 std::strerror(errno));
    return recovered::failed;
}

recovered reader::refuse() const {
    // A segment that should begin with the LSN that is missing has lost its header.
    const bool headless = kept_ < names_.size() && names_[kept_] == end_.next_lsn;
    const std::string hole = headless    ? segment_name(names_[kept_])
                             : kept_ > 0 ? segment_name(end_.first_lsn)
                                         : segment_name(names_[0]);
    std::fprintf(stderr,
                 "error: recovery: %s offset %ju: corrupt, expected the record with LSN %ju, which "
                 "the one in %s offset %ju relies on\n",
                 hole.c_str(), headless ? std::uintmax_t{0} : std::uintmax_t{end_.offset},
                 std::uintmax_t{end_.next_lsn}, segment_name(proof_->first_lsn).c_str(),
                 std::uintmax_t{proof_->offset});
    return recovered::refused;
}

// False when the file cannot be read; what is wrong inside is for the caller.
bool reader::load(std::uint64_t first_lsn, segment_copy &s) {
    struct stat about;
    s.first_lsn = first_lsn;
    s.file = directory_.open_segment(first_lsn);
    if (!s.file || fstat(s.file.get(), &about) != 0)
        return false;
    const auto size = static_cast<std::size_t>(about.st_size);
    s.memory.reset(new (std::nothrow) char[size]);
    if (s.memory == nullptr) {
        errno = ENOMEM;
        return false;
    }
    for (std::size_t at = 0; at < size;) {
        const ssize_t got =
            pread(s.file.get(), s.memory.get() + at, size - at, static_cast<off_t>(at));
        if (got == 0)
            errno = EIO; // shorter than it said
        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        at += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    s.bytes = {s.memory.get(), size};
    s.head = read_segment_head(s.bytes);
    if (s.head && (s.head->first_lsn != first_lsn || s.head->bytes != size))
        s.head.reset();
    return true;
}

static bool is_zero(text bytes) noexcept {
    return std::ranges::all_of(bytes, [](char c) { return c == 0; });
}

// `whole`: the segment ends where records end, so that the next one may follow.
recovered reader::read_records(const segment_copy &s, bool &whole) {
    end_.offset = segment_head_bytes;
    for (;;) {
        const text rest = s.bytes.substr(
            static_cast<std::size_t>(std::min<std::uint64_t>(end_.offset, s.bytes.size())));
        whole = rest.size() < record_head_bytes || is_zero(rest.substr(0, record_head_bytes));
        if (whole)
            return recovered::good;
        const auto found = read_record(rest, s.head->epoch);
        if (!found || found->lsn != end_.next_lsn)
            return recovered::good;
        if (!is_supported(*found)) {
            std::fprintf(stderr,
                         "error: recovery: %s offset %ju: the record with LSN %ju cannot be read, "
                         "expected operation 1 to 4 with data place 0, got %u with %u\n",
                         segment_name(s.first_lsn).c_str(), std::uintmax_t{end_.offset},
                         std::uintmax_t{found->lsn}, static_cast<unsigned>(found->kind),
                         unsigned{found->data_place});
            return recovered::refused;
        }
        if (!visitor_.visit(*found))
            return recovered::stopped;
        end_.offset += round_up_8(found->length());
        end_.next_lsn++;
    }
}

// Until the first hole or the end. A segment that does not begin with the LSN that is expected
// makes the end of the one before it the hole.
recovered reader::read_all() {
    for (bool whole = true; whole && kept_ < names_.size();) {
        segment_copy s;
        if (!load(names_[kept_], s))
            return fail("read a segment");
        if (!s.head || s.first_lsn != end_.next_lsn)
            return recovered::good;
        if (last_.file && fdatasync(last_.file.get()) != 0)
            return fail("sync a segment");
        kept_++;
        end_.epoch = s.head->epoch;
        end_.first_lsn = s.first_lsn;
        end_.segment_bytes = s.bytes.size();
        end_.log_bytes += s.bytes.size();
        last_ = std::move(s);
        if (const recovered r = read_records(last_, whole); r != recovered::good)
            return r;
    }
    return recovered::good;
}

// Looks at every multiple of 8 for a valid record that relies on the hole.
void reader::look_behind(const segment_copy &s, std::uint64_t from) {
    head_lost_ = head_lost_ || !s.head;
    std::uint64_t used_to = from;
    for (std::uint64_t at = from; at < s.bytes.size();) {
        const text rest = s.bytes.substr(static_cast<std::size_t>(at));
        std::uint64_t word = 0;
        std::memcpy(&word, rest.data(), std::min(rest.size(), sizeof word));
        if (word == 0) {
            at += 8;
            continue;
        }
        // Where the head is lost, so is its epoch: any record's own will do.
        const bool has_head = rest.size() >= record_head_bytes;
        const std::uint32_t own = has_head ? get_little<std::uint32_t>(rest.data() + 32) : 0;
        const auto found = read_record(rest, s.head ? s.head->epoch : own);
        const bool relies =
            found && found->lsn > end_.next_lsn && found->durable_lsn >= end_.next_lsn;
        if (found && (relies || head_lost_) && !proof_)
            proof_ = {s.first_lsn, at};
        at += found ? round_up_8(found->length()) : 8;
        used_to = std::min<std::uint64_t>(at, s.bytes.size());
    }
    dropped_bytes_ += used_to - from;
}

recovered reader::look_behind() {
    if (kept_ > 0)
        look_behind(last_, std::min<std::uint64_t>(end_.offset, last_.bytes.size()));
    for (std::size_t i = kept_; i < names_.size() && !proof_; i++) {
        segment_copy s;
        if (!load(names_[i], s))
            return fail("read a segment");
        look_behind(s, std::min<std::uint64_t>(segment_head_bytes, s.bytes.size()));
    }
    return proof_ ? refuse() : recovered::good;
}

recovered reader::drop_tail() {
    const std::size_t later = names_.size() - kept_;
    if (dropped_bytes_ > 0 || later > 0)
        std::fprintf(stderr,
                     "recovery: torn tail: dropped %ju bytes and %zu segments behind LSN %ju\n",
                     std::uintmax_t{dropped_bytes_}, later, std::uintmax_t{end_.next_lsn - 1});
    if (kept_ > 0 && dropped_bytes_ > 0 &&
        !write_zeros(last_.file.get(), end_.offset, last_.bytes.size()))
        return fail("zero a torn tail");
    if (last_.file && fdatasync(last_.file.get()) != 0)
        return fail("sync a segment");
    for (std::size_t i = kept_; i < names_.size(); i++) {
        if (!directory_.remove_segment(names_[i]))
            return fail("remove a segment");
    }
    return directory_.sync() ? recovered::good : fail("sync the directory");
}

recovered reader::run() {
    auto names = directory_.list_segments();
    if (!names)
        return fail("list the segments");
    names_ = std::move(*names);
    recovered r = read_all();
    if (r == recovered::good)
        r = look_behind();
    return r == recovered::good ? drop_tail() : r;
}

recovered recover(const log_directory &directory, record_visitor &visitor, log_end &end) {
    end = {};
    return reader(directory, visitor, end).run();
}

} // namespace pausemark
