// The files of the log: a directory that one process holds, and segments that are made whole before
// they are used. Functions that return false or nothing leave the reason in errno.
#pragma once
#include "descriptor.h"
#include "text.h"
#include <array>
#include <string>
#include <sys/uio.h>
#include <vector>

namespace pausemark {

inline constexpr std::size_t segment_head_bytes = 64;

struct segment_head {
    std::uint32_t epoch = 0; // ordinal in this log, from 1
    std::uint64_t first_lsn = 0;
    std::uint64_t bytes = 0; // of the whole file
};
using segment_head_array = std::array<char, segment_head_bytes>;
[[nodiscard]] segment_head_array put_segment_head(const segment_head &h) noexcept;
[[nodiscard]] std::optional<segment_head> read_segment_head(text bytes) noexcept;

// "segment-<first LSN, 16 hex digits>.log"
[[nodiscard]] std::string segment_name(std::uint64_t first_lsn);
[[nodiscard]] std::optional<std::uint64_t> read_segment_name(text name) noexcept;

// Any thread may use it; the functions only hold its descriptor.
class log_directory {
  public:
    // Makes the directory when it is missing. False when it cannot be used.
    [[nodiscard]] bool open(const std::string &path);
    // False when another process holds it (EWOULDBLOCK) or on any other failure.
    [[nodiscard]] bool lock() noexcept;
    // The first LSNs of all segments, in order; what a crash left half made is removed.
    [[nodiscard]] std::optional<std::vector<std::uint64_t>> list_segments() const;
    [[nodiscard]] descriptor open_segment(std::uint64_t first_lsn) const;
    [[nodiscard]] bool remove_segment(std::uint64_t first_lsn) const;
    [[nodiscard]] bool sync() const noexcept;

    // A file of zeros that no segment's name has yet, already on the device.
    [[nodiscard]] descriptor make_zeros(const char *name, std::uint64_t bytes) const noexcept;
    // Turns such a file into a segment.
    [[nodiscard]] bool make_segment(const descriptor &file, const char *name,
                                    const segment_head &h) const;
    void remove(const char *name) const noexcept;
    [[nodiscard]] const std::string &path() const noexcept {
        return path_;
    }

  private:
    std::string path_;
    descriptor fd_, lock_;
};

// Writes zeros over [from, to).
[[nodiscard]] bool write_zeros(int fd, std::uint64_t from, std::uint64_t to) noexcept;
// All of it, in as few calls as the system allows; `pieces` are used up.
[[nodiscard]] bool write_all(int fd, std::span<iovec> pieces, std::uint64_t at) noexcept;

} // namespace pausemark
