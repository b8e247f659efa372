// The state machine between the socket and the handlers.
#include "s3.h"
#include "worker.h"

namespace pausemark {

using socket_base = asio::socket_base;
// More than any chunk's size line or trailer section may take.
constexpr std::size_t framing_bytes_max = 16384;

connection::connection(worker &w, tcp_socket socket) noexcept
    : worker_(w), socket_(std::move(socket)) {}

connection::~connection() {
    if (exchange_)
        worker_.give_exchange(std::move(exchange_));
}

void connection::start() {
    beast::error_code ec;
    socket_.set_option(asio::ip::tcp::no_delay(true), ec);
    socket_.non_blocking(true, ec);
    if (!ec)
        wait_to_read();
}

// A pending wait ends with an error, and with it the last reference.
void connection::close() noexcept {
    beast::error_code ec;
    closed_ = true;
    socket_.close(ec);
    if (exchange_ && !is_waiting()) // the log still reads what it waits with
        worker_.give_exchange(std::move(exchange_));
    all_hook.unlink();
    timed_hook.unlink();
}

bool connection::is_idle() const noexcept {
    return !in_body_ && !blocked_ && !is_waiting() && kept_.empty();
}

bool connection::is_closing() const noexcept {
    return closing_ || (exchange_ && exchange_->closing);
}

// Waiting for readiness, not for bytes: a read in flight would pin a buffer per idle connection.
void connection::wait_to_read() {
    socket_.async_wait(socket_base::wait_read,
                       [self = boost::intrusive_ptr(this)](beast::error_code ec) {
                           if (!ec && !self->closed_)
                               self->on_readable();
                       });
}

void connection::wait_to_write() {
    socket_.async_wait(socket_base::wait_write,
                       [self = boost::intrusive_ptr(this)](beast::error_code ec) {
                           if (!ec && !self->closed_)
                               self->on_writable();
                       });
}

// On the list of those that owe us bytes exactly while they do; progress restarts the clock.
void connection::set_timed(bool owes, bool progress) {
    if (timed_hook.is_linked() && (!owes || progress))
        timed_hook.unlink();
    if (!owes || timed_hook.is_linked())
        return;
    progress_s_ = worker_.desk.now_s();
    worker_.watch(*this);
}

void connection::release_if_done() noexcept {
    if (!exchange_ || in_body_ || is_waiting() || exchange_->is_sending() || exchange_->body)
        return;
    closing_ = closing_ || exchange_->closing;
    worker_.give_exchange(std::move(exchange_));
}

void connection::refuse(error code) {
    if (!exchange_)
        exchange_ = worker_.take_exchange();
    exchange_->closing = true;
    exchange_->head_only = false;
    exchange_->body.reset();
    answer_error(*exchange_, code, "/");
}

static bool has_bare_feed(text bytes) noexcept {
    for (std::size_t at = 0; (at = bytes.find('\n', at)) != text::npos; at++) {
        if (at > 0 && bytes[at - 1] != '\r')
            return true;
    }
    return false;
}

// Stores body bytes or reads past them. Returns how many were consumed.
std::size_t connection::take_body(text input) {
    exchange &x = *exchange_;
    beast::error_code ec;
    const std::size_t used = x.parser->put(asio::const_buffer(input.data(), input.size()), ec);
    if (x.parser->is_done()) {
        in_body_ = false;
        if (x.body)
            x.body->finish(x);
        if (x.waiting == 0)
            x.body.reset();
        return used;
    }
    const text rest = input.substr(used);
    const bool partial = !ec || ec == http::error::need_more;
    if (!partial || rest.size() > framing_bytes_max || has_bare_feed(rest)) {
        if (x.body)
            refuse(error::bad_request);
        x.closing = true;
    } else if (x.body && x.body->is_too_large()) {
        refuse(error::entity_too_large); // an unbounded body: do not read on
    }
    return used;
}

void connection::take_request(text head) {
    exchange_ = worker_.take_exchange();
    exchange &x = *exchange_;
    x.holder = this;
    const error wrong = x.read_head(head);
    if (wrong != error::none) {
        refuse(wrong);
        return;
    }
    x.head_only = x.asked.verb == method::head;
    x.closing = !x.asked.keep_alive;
    in_body_ = x.body_follows = !x.parser->is_done();
    s3::handle(x);
    if (!x.body)
        return;
    if (!in_body_) {
        x.body->finish(x);
        if (x.waiting == 0)
            x.body.reset();
    } else if (x.asked.expect_continue) {
        x.at.put("HTTP/1.1 100 Continue\r\n\r\n");
    }
}

// Returns how many bytes were consumed; 0 asks for more.
std::size_t connection::take_head(text input) {
    if (input.starts_with("\r\n"))
        return 2; // RFC 9112 section 2.2: an empty line before a request is ignored
    if (input == "\r")
        return 0;
    const auto [state, head_n] = scan_head(input);
    switch (state) {
    case head_state::complete:
        take_request(input.substr(0, head_n));
        return head_n;
    case head_state::bad:
        refuse(error::bad_request);
        return input.size();
    case head_state::too_large:
        refuse(error::head_too_large);
        return input.size();
    case head_state::partial:
        break;
    }
    return 0;
}

// Works through the input until it is used up, incomplete, waits for the log, or the output blocks.
std::size_t connection::consume(text input) {
    std::size_t at = 0;
    while (at < input.size() && !is_waiting()) {
        if (is_closing() && !(in_body_ && wants_body()))
            return input.size();
        const text rest = input.substr(at);
        const std::size_t used = in_body_ ? take_body(rest) : take_head(rest);
        at += used;
        const bool large = exchange_ && exchange_->is_sending();
        if ((large || worker_.desk.output_is_full()) && !flush())
            return at;
        release_if_done();
        if (used == 0)
            return at;
    }
    return at;
}

// After the last answer: say that nothing more comes, then read what the peer still sends, so that
// a reset does not destroy the answer on its way.
void connection::linger() {
    beast::error_code ec;
    socket_.shutdown(socket_base::shutdown_send, ec);
    if (ec) {
        close();
        return;
    }
    lingering_ = true;
    set_timed(true, true);
    wait_to_read();
}

// The first `n` bytes of the desk's input are this connection's.
void connection::process(std::size_t n, bool progress) {
    const text input(worker_.desk.input.data(), n);
    const std::size_t at = consume(input);
    if (is_waiting())
        begin_waiting();
    if (!failed_ && worker_.desk.output_n > 0)
        (void)flush(); // blocked_ and failed_ say how it went
    if (failed_) {
        worker_.desk.output_n = 0;
        close();
        return;
    }
    kept_ = std::string(input.substr(at));
    if (blocked_ || is_waiting()) {
        set_timed(false, false);
        return;
    }
    release_if_done();
    // With the answer out, a body that still comes is nobody's: close rather than read it.
    if (is_closing() && !wants_body()) {
        linger();
        return;
    }
    const bool owes = in_body_ || !kept_.empty();
    if (worker_.is_stopping() && !owes) {
        close();
        return;
    }
    set_timed(owes, progress);
    wait_to_read();
}

void connection::on_readable() {
    desk &d = worker_.desk;
    beast::error_code ec;
    d.tick();
    std::ranges::copy(kept_, d.input.begin());
    const std::size_t got =
        socket_.read_some(asio::buffer(d.input.data() + kept_.size(), input_bytes), ec);
    if (ec == asio::error::would_block || ec == asio::error::interrupted || (!ec && lingering_)) {
        wait_to_read();
        return;
    }
    if (ec) {
        close(); // a body that stops short is not stored
        return;
    }
    process(kept_.size() + got, true);
}

void connection::begin_waiting() {
    waiting_self_ = this;
    if (!commit_hook.is_linked())
        worker_.await_commit(*this);
}

void connection::abandon() noexcept {
    commit_hook.unlink();
    exchange_.reset();
    waiting_self_.reset();
}

void connection::on_commit() {
    const boost::intrusive_ptr self(std::move(waiting_self_));
    commit_hook.unlink();
    committed_ = true;
    if (closed_)
        worker_.give_exchange(std::move(exchange_));
    else if (!blocked_)
        resume();
}

// Answers, or lets the request go on; then the requests that waited behind it have their turn.
void connection::resume() {
    exchange &x = *exchange_;
    committed_ = false;
    x.then(x);
    if (x.waiting > 0) {
        begin_waiting();
        return;
    }
    x.body.reset();
    if (x.is_sending() && !flush()) {
        if (failed_)
            close();
        return;
    }
    release_if_done();
    std::ranges::copy(kept_, worker_.desk.input.begin());
    process(kept_.size(), true);
}

void connection::on_writable() {
    worker_.desk.tick();
    if (flush()) {
        if (committed_) {
            resume();
            return;
        }
        release_if_done();
        std::ranges::copy(kept_, worker_.desk.input.begin());
        process(kept_.size(), true);
    } else if (failed_) {
        close();
    }
}

} // namespace pausemark
