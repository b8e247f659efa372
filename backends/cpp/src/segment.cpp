// Names, heads and the order of syncs that makes a new segment safe to rely on.
#include "segment.h"
#include "crc32c.h"
#include "record.h"
#include <algorithm>
#include <cerrno>
#include <climits>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>

namespace pausemark {

constexpr text magic = "PAUSELOG", prefix = "segment-", suffix = ".log";
constexpr std::uint32_t version = 1;
constexpr std::size_t covered_bytes = 32, zeros_bytes = std::size_t{1} << 20;
constexpr mode_t file_mode = 0644;

segment_head_array put_segment_head(const segment_head &h) noexcept {
    segment_head_array to{};
    std::ranges::copy(magic, to.begin());
    put_little(to.data() + 8, version);
    put_little(to.data() + 12, h.epoch);
    put_little(to.data() + 16, h.first_lsn);
    put_little(to.data() + 24, h.bytes);
    put_little(to.data() + 32, crc32c(0, {to.data(), covered_bytes}));
    return to;
}

std::optional<segment_head> read_segment_head(text bytes) noexcept {
    if (bytes.size() < segment_head_bytes || !bytes.starts_with(magic))
        return std::nullopt;
    const char *from = bytes.data();
    if (get_little<std::uint32_t>(from + 8) != version ||
        get_little<std::uint32_t>(from + 32) != crc32c(0, bytes.substr(0, covered_bytes)))
        return std::nullopt;
    return segment_head{get_little<std::uint32_t>(from + 12), get_little<std::uint64_t>(from + 16),
                        get_little<std::uint64_t>(from + 24)};
}

std::string segment_name(std::uint64_t first_lsn) {
    std::array<std::uint8_t, 8> bytes;
    for (std::size_t i = 0; i < bytes.size(); i++)
        bytes[i] = static_cast<std::uint8_t>(first_lsn >> (56 - 8 * i));
    std::string name(prefix);
    name.resize(prefix.size() + 2 * bytes.size());
    put_hex(name.data() + prefix.size(), bytes);
    return name.append(suffix);
}

std::optional<std::uint64_t> read_segment_name(text name) noexcept {
    if (name.size() != prefix.size() + 16 + suffix.size() || !name.starts_with(prefix) ||
        !name.ends_with(suffix))
        return std::nullopt;
    std::uint64_t lsn = 0;
    for (const char c : name.substr(prefix.size(), 16)) {
        if (hex_digit(c) < 0 || lower(c) != c)
            return std::nullopt;
        lsn = lsn << 4 | static_cast<std::uint64_t>(hex_digit(c));
    }
    return lsn;
}

bool log_directory::open(const std::string &path) {
    std::error_code ec;
    path_ = path;
    std::filesystem::create_directories(path, ec);
    fd_ = descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return static_cast<bool>(fd_);
}

bool log_directory::lock() noexcept {
    lock_ = descriptor(openat(fd_.get(), "lock", O_RDWR | O_CREAT | O_CLOEXEC, file_mode));
    return lock_ && flock(lock_.get(), LOCK_EX | LOCK_NB) == 0;
}

std::optional<std::vector<std::uint64_t>> log_directory::list_segments() const {
    struct closer {
        void operator()(DIR *d) const noexcept {
            closedir(d);
        }
    };
    descriptor again(openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, closer> listing(fdopendir(again.get()));
    if (listing == nullptr)
        return std::nullopt;
    (void)again.release(); // the listing closes it
    std::vector<std::uint64_t> found;
    while (const dirent *entry = readdir(listing.get())) {
        const text name = entry->d_name;
        if (name.ends_with(".new"))
            unlinkat(fd_.get(), entry->d_name, 0);
        if (const auto lsn = read_segment_name(name))
            found.push_back(*lsn);
    }
    std::ranges::sort(found);
    return found;
}

descriptor log_directory::open_segment(std::uint64_t first_lsn) const {
    return descriptor(openat(fd_.get(), segment_name(first_lsn).c_str(), O_RDWR | O_CLOEXEC));
}

bool log_directory::remove_segment(std::uint64_t first_lsn) const {
    return unlinkat(fd_.get(), segment_name(first_lsn).c_str(), 0) == 0;
}

bool log_directory::sync() const noexcept {
    return fsync(fd_.get()) == 0;
}

void log_directory::remove(const char *name) const noexcept {
    unlinkat(fd_.get(), name, 0);
}

// The blocks are asked for first, so that a full disk is known before anything is written.
descriptor log_directory::make_zeros(const char *name, std::uint64_t bytes) const noexcept {
    descriptor file(openat(fd_.get(), name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, file_mode));
    if (!file)
        return file;
    const int refused = posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
    if (refused == 0 && write_zeros(file.get(), 0, bytes) && fdatasync(file.get()) == 0)
        return file;
    const int why = refused != 0 ? refused : errno;
    remove(name);
    errno = why;
    return descriptor();
}

bool log_directory::make_segment(const descriptor &file, const char *name,
                                 const segment_head &h) const {
    segment_head_array head = put_segment_head(h);
    iovec piece{head.data(), head.size()};
    return write_all(file.get(), {&piece, 1}, 0) && fdatasync(file.get()) == 0 &&
           renameat(fd_.get(), name, fd_.get(), segment_name(h.first_lsn).c_str()) == 0 && sync();
}

bool write_zeros(int fd, std::uint64_t from, std::uint64_t to) noexcept {
    static std::array<char, zeros_bytes> zeros{}; // never written to
    while (from < to) {
        iovec piece{zeros.data(),
                    static_cast<std::size_t>(std::min<std::uint64_t>(to - from, zeros_bytes))};
        const std::uint64_t written = piece.iov_len;
        if (!write_all(fd, {&piece, 1}, from))
            return false;
        from += written;
    }
    return true;
}

bool write_all(int fd, std::span<iovec> pieces, std::uint64_t at) noexcept {
    while (!pieces.empty()) {
        const auto count = static_cast<int>(std::min<std::size_t>(pieces.size(), IOV_MAX));
        const ssize_t written = pwritev(fd, pieces.data(), count, static_cast<off_t>(at));
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        at += static_cast<std::uint64_t>(written);
        auto rest = static_cast<std::size_t>(written);
        while (!pieces.empty() && rest >= pieces.front().iov_len) {
            rest -= pieces.front().iov_len;
            pieces = pieces.subspan(1);
        }
        if (pieces.empty())
            break;
        pieces.front().iov_base = static_cast<char *>(pieces.front().iov_base) + rest;
        pieces.front().iov_len -= rest;
    }
    return true;
}

} // namespace pausemark
