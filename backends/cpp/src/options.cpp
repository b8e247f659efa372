// Flags as "--name value" or "--name=value"; anything unexpected is refused by name.
#include "options.h"
#include "text.h"
#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <cstdio>

namespace pausemark {

// 512 MiB: what the largest table of blocks can describe.
constexpr std::uint64_t object_bytes_ceiling = std::uint64_t{512} << 20;

constexpr std::uint64_t segment_bytes_least = 4096;
constexpr std::uint64_t segment_bytes_ceiling = std::uint64_t{1} << 30;

static std::optional<std::uint64_t> read_bytes(text value) {
    struct unit {
        text suffix;
        unsigned shift;
    };
    unsigned shift = 0;
    for (const unit u : {unit{"KiB", 10}, unit{"MiB", 20}, unit{"GiB", 30}, unit{"B", 0}}) {
        if (value.ends_with(u.suffix)) {
            shift = u.shift;
            value.remove_suffix(u.suffix.size());
            break;
        }
    }
    const auto number = to_u64(value);
    if (!number || *number == 0 || *number > UINT64_MAX >> shift >> 1)
        return std::nullopt;
    return *number << shift;
}

template <typename number>
static bool read_number(text value, std::uint64_t most, number &to) {
    const auto read = to_u64(value);
    if (!read || *read < 1 || *read > most)
        return false;
    to = static_cast<number>(*read);
    return true;
}

static bool read_size(text value, std::uint64_t most, std::uint64_t &to) {
    const auto read = read_bytes(value);
    if (!read || *read > most)
        return false;
    to = *read;
    return true;
}

static bool read_address(text value, std::string &to) {
    boost::system::error_code bad;
    to = value;
    boost::asio::ip::make_address(to, bad);
    return !bad;
}

static bool read_durability(text value, durability &to) {
    constexpr text names[] = {"ram", "buffered", "interval", "batch", "sync"};
    const auto found = std::ranges::find(names, value);
    to = static_cast<durability>(found - std::begin(names));
    return found != std::end(names);
}

static bool read_stack(text value, stack &to) {
    constexpr text names[] = {"beast", "epoll", "nghttp2"};
    const auto found = std::ranges::find(names, value);
    to = static_cast<stack>(found - std::begin(names));
    return found != std::end(names);
}

static bool read_segment_bytes(text value, std::uint64_t &to) {
    const bool good = read_size(value, segment_bytes_ceiling, to) && to >= segment_bytes_least;
    to = (to + 7) & ~std::uint64_t{7}; // records begin at multiples of 8
    return good;
}

static bool read_credential(text value, std::vector<credential> &to) {
    const text id = cut(value, ':');
    if (id.empty() || value.empty() || to.size() == credential_count_max)
        return false;
    to.push_back({std::string(id), std::string("AWS4").append(value)});
    return true;
}

// Those of who may ask; nothing when `name` is none of them.
static std::optional<text> apply_access(options &o, text name, text value) {
    if (name == "--auth") {
        o.verifies = value == "verify";
        return o.verifies || value == "parse" ? "" : "parse or verify";
    }
    if (name == "--credential")
        return read_credential(value, o.credentials) ? "" : "ID:SECRET, 64 of them at most";
    return std::nullopt;
}

// Those of the log; nothing when `name` is none of them.
static std::optional<text> apply_log(options &o, text name, text value) {
    if (name == "--durability")
        return read_durability(value, o.mode) ? "" : "ram, buffered, interval, batch or sync";
    if (name == "--data-directory") {
        o.data_directory = value;
        return value.empty() ? "a path" : "";
    }
    if (name == "--sync-interval-ms")
        return read_number(value, 60'000, o.sync_interval_ms) ? "" : "1 to 60000";
    if (name == "--segment-bytes")
        return read_segment_bytes(value, o.segment_bytes) ? "" : "4KiB to 1GiB";
    if (name == "--log-bytes-max")
        return read_size(value, UINT64_MAX / 2, o.log_bytes_max) ? "" : "a size such as 8GiB";
    return std::nullopt;
}

// What was expected instead; empty when the flag and its value are good.
static text apply(options &o, text name, text value) {
    if (name == "--address")
        return read_address(value, o.address) ? "" : "an IPv4 or IPv6 address";
    if (name == "--port")
        return read_number(value, 65535, o.port) ? "" : "1 to 65535";
    if (name == "--threads")
        return read_number(value, threads_max, o.threads) ? "" : "1 to 64";
    if (name == "--object-bytes-max")
        return read_size(value, object_bytes_ceiling, o.object_bytes_max) ? "" : "1 to 512MiB";
    if (name == "--store-bytes-max")
        return read_size(value, UINT64_MAX, o.store_bytes_max) ? "" : "a size such as 4GiB";
    if (name == "--stack")
        return read_stack(value, o.http) ? "" : "beast, epoll or nghttp2";
    if (name == "--allocator") {
        o.use_pool = value == "pool";
        return o.use_pool || value == "malloc" ? "" : "pool or malloc";
    }
    if (const auto of_access = apply_access(o, name, value))
        return *of_access;
    if (const auto of_log = apply_log(o, name, value))
        return *of_log;
    return "one of --address --port --threads --stack --allocator --object-bytes-max "
           "--store-bytes-max "
           "--durability --data-directory --sync-interval-ms --segment-bytes --log-bytes-max "
           "--auth --credential --version";
}

static void refuse(text name, text expected, text value) {
    if (name == "--credential")
        value = "(not shown)"; // a secret does not belong in a log
    std::fprintf(stderr, "error: %.*s: bad flag, expected %.*s, got '%.*s'\n",
                 static_cast<int>(name.size()), name.data(), static_cast<int>(expected.size()),
                 expected.data(), static_cast<int>(value.size()), value.data());
}

// What one flag needs of another.
static bool is_whole(const options &o) {
    const char *missing = nullptr;
    if (o.mode != durability::ram && o.data_directory.empty())
        missing = "error: --data-directory: missing, expected a path for the log\n";
    else if (o.verifies && o.credentials.empty())
        missing = "error: --credential: missing, expected ID:SECRET for --auth=verify\n";
    if (missing != nullptr)
        std::fputs(missing, stderr);
    return missing == nullptr;
}

std::optional<options> read_options(std::span<char *const> arguments) {
    options read;
    for (std::size_t i = 1; i < arguments.size(); i++) {
        text value = arguments[i];
        if (value == "--version") {
            read.wants_version = true;
            return read;
        }
        const bool joined = value.find('=') != text::npos;
        const text name = cut(value, '=');
        if (!joined)
            value = i + 1 < arguments.size() ? text(arguments[++i]) : text("");
        const text expected = apply(read, name, value);
        if (!expected.empty()) {
            refuse(name, expected, value);
            return std::nullopt;
        }
    }
    return is_whole(read) ? std::optional(read) : std::nullopt;
}

} // namespace pausemark
