// The command line.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace pausemark {

inline constexpr unsigned threads_max = 64;

enum class stack { beast, epoll, nghttp2 }; // the last is epoll's, and HTTP/2
enum class durability { ram, buffered, interval, batch, sync };

// An access key. What signing keys are derived from is kept, rather than the secret itself.
struct credential {
    std::string id, root; // "AWS4" and the secret
};
inline constexpr std::size_t credential_count_max = 64;

struct options {
    std::string address = "127.0.0.1";
    std::uint16_t port = 9000;
    unsigned threads = 1;
    stack http = stack::beast;
    bool use_pool = true;
    bool wants_version = false;
    std::uint64_t object_bytes_max = std::uint64_t{64} << 20;
    std::uint64_t store_bytes_max = std::uint64_t{4} << 30;
    bool verifies = false;               // signatures, and not only their form
    std::vector<credential> credentials; // who is known, when it does
    durability mode = durability::ram;
    std::string data_directory; // of the log; unused in ram
    std::uint64_t sync_interval_ms = 100;
    std::uint64_t segment_bytes = std::uint64_t{64} << 20;
    std::uint64_t log_bytes_max = std::uint64_t{8} << 30;
};

// Nothing after one line on stderr that names the bad flag.
[[nodiscard]] std::optional<options> read_options(std::span<char *const> arguments);

} // namespace pausemark
