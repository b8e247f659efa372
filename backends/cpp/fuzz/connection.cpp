// What any bytes do to a connection of the epoll stack: parser, handlers and answers, in process.
#include "epoll_worker.h"
#include "store.h"
#include "upload.h"
#include <csignal>
#include <cstdlib>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#ifndef STACK
#define STACK stack::epoll
#endif

using namespace pausemark;

static const options &settings() {
    static options o;
    o.http = STACK;
    o.object_bytes_max = 1 << 20;
    o.store_bytes_max = 16 << 20;
    return o;
}

static epoll::worker &the_worker() {
    static epoll::worker worker(settings(), 0, descriptor(eventfd(0, EFD_NONBLOCK)), nullptr);
    static const bool open = worker.open();
    if (!open)
        abort();
    return worker;
}

// An object to read and to copy; what earlier inputs left is gone with the bucket's other keys.
static void prepare_store() {
    (void)store::create_bucket("bucket", 0);
    object_ref object = object::create({}, 3, 3);
    if (object != nullptr && object->append("abc"))
        (void)store::put("bucket", "key", object, {});
}

extern "C" int LLVMFuzzerInitialize(int *, char ***) {
    signal(SIGPIPE, SIG_IGN);
    slab::start(true);
    object::limit_store(settings().store_bytes_max);
    if (!store::start())
        abort();
    return 0;
}

// The first byte says where the input is cut in two: what arrives in pieces is another path.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    if (size < 2)
        return 0;
    const text input(reinterpret_cast<const char *>(data) + 1, size - 1);
    const std::size_t cut = input.size() * data[0] / 255;
    prepare_store();
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        abort();
    const descriptor peer(ends[0]);
    epoll::connection &c = the_worker().adopt(descriptor(ends[1]));
    std::array<char, 65536> answer;
    for (const text piece : {input.substr(0, cut), input.substr(cut)}) {
        (void)!::write(peer.get(), piece.data(), piece.size());
        c.on_event(EPOLLIN);
        while (::read(peer.get(), answer.data(), answer.size()) > 0)
            c.on_event(EPOLLOUT);
    }
    ::shutdown(peer.get(), SHUT_WR);
    c.on_event(EPOLLIN);
    c.close();
    the_worker().free_dead();
    return 0;
}
