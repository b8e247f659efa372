// The two directions between a worker and the log writer, and who wakes whom.
#include "log_writer.h"
#include <poll.h>
#include <sys/eventfd.h>

namespace pausemark {

bell::bell() noexcept : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void bell::ring() noexcept {
    if (sleeping_.exchange(false, std::memory_order_acq_rel))
        (void)eventfd_write(fd_.get(), 1); // can only fail when it is ringing already
}

void bell::sleep(int timeout_ms) noexcept {
    pollfd wait{fd_.get(), POLLIN, 0};
    eventfd_t rings = 0;
    poll(&wait, 1, timeout_ms);
    (void)eventfd_read(fd_.get(), &rings);
    get_up();
}

bool log_gate::submit(write &w) noexcept {
    w.worker = worker_;
    if (in_flight_ == queue_writes_max || !asked_.push(&w))
        return false;
    in_flight_++;
    owes_ring_ = true;
    return true;
}

void log_gate::hand_over() noexcept {
    if (std::exchange(owes_ring_, false))
        writer_.ring();
}

void log_gate::give_back(write &w) noexcept {
    (void)done_.push(&w); // never full: see submit()
    owes_wake_ = true;
}

void log_gate::wake() {
    if (std::exchange(owes_wake_, false) && !woken_.exchange(true, std::memory_order_acq_rel) &&
        on_done)
        on_done();
}

} // namespace pausemark
