// HTTP/1.1 on one connection, between bytes and handlers: for whichever socket and parser.
#pragma once
#include "desk.h"
#include "links.h"
#include "s3.h"
#include <algorithm>
#include <memory>

namespace pausemark {

enum class body_state { partial, complete, bad };
struct body_step {
    body_state state;
    std::size_t used; // how much of the input was the body's
};

// `self` is the connection: it has the socket. It offers, to this class alone:
//   std::size_t send(text)      sends until done or blocked; how much is gone; failed_ on an error
//   void send_body()            likewise, what is left of the exchange's large body
//   void await_input()          tell when there is more to read
//   void await_output()         tell when the socket takes more
//   void begin_waiting()        the log has a write of it; stay alive until on_commit()
//   bool say_goodbye()          ends our direction; false when that failed
//   void close()
// `worker_type` has the desk and the exchanges; `exchange_type` is a call with read_head(),
// feed_body() and is_sending(). Belongs to its worker's thread.
template <class self, class worker_type, class exchange_type>
class conversation : public all_link, public timed_link {
  public:
    explicit conversation(worker_type &w) noexcept : worker_(w) {}
    conversation(const conversation &) = delete;
    conversation &operator=(const conversation &) = delete;

    // Between requests: nothing is owed in either direction.
    [[nodiscard]] bool is_idle() const noexcept {
        return !in_body_ && !blocked_ && !is_waiting() && kept_.empty();
    }
    [[nodiscard]] bool is_lingering() const noexcept {
        return lingering_;
    }
    [[nodiscard]] std::int64_t progress_s() const noexcept {
        return progress_s_;
    }

  protected:
    ~conversation() {
        if (exchange_)
            worker_.give_exchange(std::move(exchange_));
    }

    [[nodiscard]] bool is_waiting() const noexcept {
        return exchange_ && exchange_->waiting > 0;
    }

    // What came before and is not consumed stands before what is read now.
    [[nodiscard]] char *input_end() noexcept {
        std::ranges::copy(kept_, worker_.desk.input.begin());
        return worker_.desk.input.data() + kept_.size();
    }
    void on_input(std::size_t n) {
        process(kept_.size() + n);
    }

    // The socket takes more.
    void on_output() {
        if (flush())
            go_on();
        else if (failed_)
            me().close();
    }

    // The log has done what the request waits for.
    void committed() {
        committed_ = true;
        if (!blocked_)
            resume();
    }

    // All that came and is not consumed, with the `n` bytes that were read now.
    [[nodiscard]] text input_with(std::size_t n) const noexcept {
        return {worker_.desk.input.data(), kept_.size() + n};
    }
    // It says too little yet: waits for more, for a time.
    void hold(std::size_t n) {
        kept_ = std::string(input_with(n));
        set_timed(true);
        me().await_input();
    }
    void drop_input() noexcept {
        kept_ = {};
    }

    void release_exchange() noexcept {
        if (exchange_ && !is_waiting()) // the log still reads what it waits with
            worker_.give_exchange(std::move(exchange_));
    }

    // On the list of those that owe us bytes exactly while they do; progress restarts the clock.
    void set_timed(bool owes) {
        timed_link::unlink();
        if (!owes)
            return;
        progress_s_ = worker_.desk.now_s();
        worker_.watch(me());
    }

    // Sends the desk's output and the exchange's large body. False when it blocked or failed.
    [[nodiscard]] bool flush() {
        desk &d = worker_.desk;
        if (pending_.empty()) {
            const text output(d.output.data(), d.output_n);
            const std::size_t gone = me().send(output);
            if (gone < output.size())
                pending_ = std::string(output.substr(gone));
            d.output_n = 0;
        } else {
            pending_at_ += me().send(text(pending_).substr(pending_at_));
        }
        if (!failed_ && pending_at_ == pending_.size()) {
            pending_ = {};
            pending_at_ = 0;
            if (exchange_ && exchange_->is_sending())
                me().send_body();
        }
        if (failed_)
            return false;
        blocked_ = !pending_.empty() || (exchange_ && exchange_->is_sending());
        if (blocked_)
            me().await_output();
        return !blocked_;
    }

    // After the last answer: say that nothing more comes, then read what the peer still sends, so
    // that a reset does not destroy the answer on its way.
    void linger() {
        if (!me().say_goodbye()) {
            me().close();
            return;
        }
        lingering_ = true;
        set_timed(true);
        me().await_input();
    }

    worker_type &worker_;
    std::unique_ptr<exchange_type> exchange_; // while a request is in progress
    bool lingering_ = false, failed_ = false, blocked_ = false;

  private:
    static constexpr text continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

    [[nodiscard]] self &me() noexcept {
        return static_cast<self &>(*this);
    }
    [[nodiscard]] bool is_closing() const noexcept {
        return closing_ || (exchange_ && exchange_->closing);
    }
    [[nodiscard]] bool wants_body() const noexcept {
        return exchange_ && exchange_->body;
    }

    void refuse(error code) {
        if (!exchange_)
            exchange_ = worker_.take_exchange();
        exchange_->closing = true;
        exchange_->head_only = false;
        exchange_->body.reset();
        answer_error(*exchange_, code, "/");
    }

    void finish_body() {
        exchange_type &x = *exchange_;
        if (x.body)
            x.body->finish(x);
        if (x.waiting == 0)
            x.body.reset();
    }

    // Stores body bytes or reads past them. Returns how many were consumed.
    [[nodiscard]] std::size_t take_body(text input) {
        exchange_type &x = *exchange_;
        const auto [state, used] = x.feed_body(input);
        if (state == body_state::complete) {
            in_body_ = false;
            finish_body();
        } else if (state == body_state::bad) {
            if (x.body)
                refuse(error::bad_request);
            x.closing = true;
        } else if (x.body && x.body->is_too_large()) {
            refuse(error::entity_too_large); // an unbounded body: do not read on
        }
        return used;
    }

    void take_request(text head) {
        exchange_ = worker_.take_exchange();
        exchange_type &x = *exchange_;
        x.holder = &me();
        const error wrong = x.read_head(head);
        if (wrong != error::none) {
            refuse(wrong);
            return;
        }
        x.head_only = x.asked.verb == method::head;
        x.closing = !x.asked.keep_alive;
        in_body_ = x.body_follows;
        s3::handle(x);
        if (x.body && !in_body_)
            finish_body();
        else if (x.body && x.asked.expect_continue)
            x.at.put(continue_line);
    }

    // Returns how many bytes were consumed; 0 asks for more.
    [[nodiscard]] std::size_t take_head(text input) {
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

    // Works through the input until it is used up, incomplete, waits for the log, or the output
    // blocks.
    [[nodiscard]] std::size_t consume(text input) {
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

    // The first `n` bytes of the desk's input are this connection's.
    void process(std::size_t n) {
        const text input(worker_.desk.input.data(), n);
        const std::size_t at = consume(input);
        if (is_waiting())
            me().begin_waiting();
        if (!failed_ && worker_.desk.output_n > 0)
            (void)flush(); // blocked_ and failed_ say how it went
        if (failed_) {
            worker_.desk.output_n = 0;
            me().close();
            return;
        }
        if (at < n || !kept_.empty())
            kept_ = std::string(input.substr(at));
        if (blocked_ || is_waiting()) {
            set_timed(false);
            return;
        }
        release_if_done();
        settle();
    }

    // All that could be done is done: what is the connection to wait for?
    void settle() {
        // With the answer out, a body that still comes is nobody's: close rather than read it.
        if (is_closing() && !wants_body()) {
            linger();
            return;
        }
        const bool owes = in_body_ || !kept_.empty();
        if (worker_.is_stopping() && !owes) {
            me().close();
            return;
        }
        set_timed(owes);
        me().await_input();
    }

    void go_on() {
        if (committed_) {
            resume();
            return;
        }
        release_if_done();
        (void)input_end();
        process(kept_.size());
    }

    // Answers, or lets the request go on; then the requests that waited behind it have their turn.
    void resume() {
        exchange_type &x = *exchange_;
        committed_ = false;
        x.then(x);
        if (x.waiting > 0) {
            me().begin_waiting();
            return;
        }
        x.body.reset();
        if (x.is_sending() && !flush()) {
            if (failed_)
                me().close();
            return;
        }
        release_if_done();
        (void)input_end();
        process(kept_.size());
    }

    void release_if_done() noexcept {
        if (!exchange_ || in_body_ || is_waiting() || exchange_->is_sending() || exchange_->body)
            return;
        closing_ = closing_ || exchange_->closing;
        worker_.give_exchange(std::move(exchange_));
    }

    std::string kept_;    // input that is not consumed yet
    std::string pending_; // output that the socket did not take
    std::size_t pending_at_ = 0;
    std::int64_t progress_s_ = 0;
    bool committed_ = false; // the log is done, but the output is blocked
    bool in_body_ = false, closing_ = false;
};

} // namespace pausemark
