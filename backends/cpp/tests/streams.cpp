// How many streams of HTTP/2 a worker has and keeps, and what a connection says beyond them.
#include "epoll_worker.h"
#include "expect.h"
#include "h2_session.h"
#include "store.h"
#include <csignal>
#include <string>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

using namespace pausemark;

constexpr std::uint8_t data_type = 0, headers_type = 1, rst_type = 3, settings_type = 4;
constexpr std::uint8_t goaway_type = 7, end_stream = 1, end_headers = 4;
constexpr std::uint8_t refused_stream = 7;
constexpr std::size_t frame_head_bytes = 9;

static options settings() {
    options o;
    o.http = stack::nghttp2;
    return o;
}

static std::string frame(std::uint8_t type, std::uint8_t flags, std::uint8_t stream, text payload) {
    const char head[] = {0,
                         0,
                         static_cast<char>(payload.size()),
                         static_cast<char>(type),
                         static_cast<char>(flags),
                         0,
                         0,
                         0,
                         static_cast<char>(stream)};
    return std::string(head, sizeof head).append(payload);
}

// HPACK without its tables' growth: indexed fields, and literals that are not indexed.
constexpr text put_root("\x02\x03PUT\x86\x84\x01\x01"
                        "a",
                        10);
constexpr text get_root("\x82\x86\x84\x01\x01"
                        "a",
                        6);
constexpr text a_trailer("\x00\x03x-t\x01"
                         "1",
                         7);

// What stands in answer: one letter a frame and, of a reset or an end, its code.
static std::string talk(epoll::worker &w, text input) {
    int ends[2];
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    const descriptor peer(ends[0]);
    epoll::connection &c = w.adopt(descriptor(ends[1]));
    std::array<char, 65536> answer;
    EXPECT(::write(peer.get(), input.data(), input.size()) == static_cast<ssize_t>(input.size()));
    c.on_event(EPOLLIN);
    const ssize_t n = ::read(peer.get(), answer.data(), answer.size());
    EXPECT(n > 0);
    std::string told;
    for (text rest(answer.data(), static_cast<std::size_t>(n)); !rest.empty();) {
        const auto at = [&rest](std::size_t i) { return static_cast<std::uint8_t>(rest[i]); };
        const std::size_t size = frame_head_bytes + (std::size_t{at(1)} << 8 | at(2));
        if (at(3) == headers_type)
            told += 'h';
        else if (at(3) == rst_type)
            told.append("r").append(std::to_string(at(frame_head_bytes + 3)));
        else if (at(3) == goaway_type)
            told.append("g").append(std::to_string(at(frame_head_bytes + 7)));
        rest.remove_prefix(size);
    }
    c.close();
    w.free_dead();
    return told;
}

static void take_all(epoll::h2_pool &pool, std::vector<epoll::h2_stream *> &taken) {
    while (epoll::h2_stream *const s = pool.take())
        taken.push_back(s);
}

static void give_all(epoll::h2_pool &pool, std::vector<epoll::h2_stream *> &taken) {
    for (epoll::h2_stream *const s : taken)
        pool.give(*s);
    taken.clear();
}

static void test_pool_keeps_few(epoll::h2_pool &pool) {
    std::vector<epoll::h2_stream *> taken;
    for (int round = 0; round < 2; round++) {
        take_all(pool, taken);
        EXPECT(taken.size() == epoll::h2_pool::streams_max);
        EXPECT(pool.used_n() == epoll::h2_pool::streams_max && pool.idle_n() == 0);
        give_all(pool, taken);
        EXPECT(pool.used_n() == 0 && pool.idle_n() == epoll::h2_pool::idle_max);
    }
}

// Head, body and trailers in one read: refused as one stream, whose connection goes on.
static void test_refused_stream_ends_alone(epoll::worker &w) {
    const std::string input =
        std::string(epoll::h2_preface)
            .append(frame(settings_type, 0, 0, {}))
            .append(frame(headers_type, end_headers, 1, put_root))
            .append(frame(data_type, 0, 1, "abc"))
            .append(frame(headers_type, end_headers | end_stream, 1, a_trailer))
            .append(frame(headers_type, end_headers | end_stream, 3, get_root));
    std::vector<epoll::h2_stream *> taken;
    take_all(w.streams, taken);
    const std::string refusal = "r" + std::to_string(refused_stream);
    EXPECT(talk(w, input) == refusal + refusal);
    give_all(w.streams, taken);
    EXPECT(talk(w, input).find('g') == std::string::npos);
    EXPECT(talk(w, input).find('h') != std::string::npos);
    EXPECT(w.streams.used_n() == 0);
}

int main() {
    signal(SIGPIPE, SIG_IGN);
    slab::start(true);
    const options o = settings();
    object::limit_store(o.store_bytes_max);
    EXPECT(store::start());
    epoll::worker w(o, 0, descriptor(eventfd(0, EFD_NONBLOCK)), nullptr);
    EXPECT(w.open());
    test_pool_keeps_few(w.streams);
    test_refused_stream_ends_alone(w);
    return 0;
}
