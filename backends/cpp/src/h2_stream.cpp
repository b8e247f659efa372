// From fields to a request, and what HTTP/1.1's framing decides there.
#include "h2_stream.h"
#include "h2_pool.h"
#include "h2_session.h"
#include "s3.h"
#include <algorithm>
#include <cstring>

namespace pausemark::epoll {

static method to_method(text name) noexcept {
    constexpr std::pair<text, method> known[] = {{"GET", method::get},
                                                 {"HEAD", method::head},
                                                 {"PUT", method::put},
                                                 {"POST", method::post},
                                                 {"DELETE", method::remove}};
    for (const auto &[verb_name, verb] : known) {
        if (name == verb_name)
            return verb;
    }
    return method::other;
}

void h2_stream::add_field(text name, text value) noexcept {
    std::uint16_t lengths[2];
    if (has_head_ || is_too_large_)
        return;
    is_too_large_ = sizeof lengths + name.size() + value.size() > space_.size() - space_n_;
    if (is_too_large_)
        return;
    lengths[0] = static_cast<std::uint16_t>(name.size());
    lengths[1] = static_cast<std::uint16_t>(value.size());
    char *to = space_.data() + space_n_;
    std::memcpy(to, lengths, sizeof lengths);
    to = std::ranges::copy(name, to + sizeof lengths).out;
    to = std::ranges::copy(value, to).out;
    space_n_ = static_cast<std::size_t>(to - space_.data());
}

// The authority is the Host; a Host beside it must say the same.
void h2_stream::read_field(text name, text value, text &authority) {
    if (name == ":method") {
        asked.verb_name = value;
    } else if (name == ":path") {
        asked.target = value;
    } else if (name == ":authority") {
        authority = value;
        take_field("host", value);
    } else if (name == "host" && authority.data() != nullptr) {
        asked.bad = asked.bad || value != authority;
    } else if (!name.starts_with(':')) {
        take_field(name, trim(value));
    }
}

error h2_stream::read_head() {
    text authority;
    std::uint16_t lengths[2];
    begin_fields();
    for (text rest(space_.data(), space_n_); !rest.empty();) {
        std::memcpy(lengths, rest.data(), sizeof lengths);
        rest.remove_prefix(sizeof lengths);
        const text name = rest.substr(0, lengths[0]);
        const text value = rest.substr(lengths[0], lengths[1]);
        rest.remove_prefix(name.size() + value.size());
        read_field(name, value, authority);
    }
    asked.verb = to_method(asked.verb_name);
    if (is_too_large_)
        return error::head_too_large;
    return asked.is_sound() ? error::none : error::bad_request;
}

// A body needs no length here: its end is told. One that is not there has the length 0.
void h2_stream::take_head(bool ended) {
    has_head_ = true;
    is_ended_ = ended;
    body_follows = !ended;
    const error wrong = read_head();
    head_only = asked.verb == method::head;
    if (wrong != error::none) {
        closing = true;
        answer_error(*this, wrong, "/");
        return;
    }
    asked.chunked = !asked.has_length && !ended;
    asked.has_length = asked.has_length || ended;
    s3::handle(*this);
    if (ended)
        finish_body();
    else if (body && asked.expect_continue)
        session_->put_continue(id_);
}

void h2_stream::finish_body() {
    if (body)
        body->finish(*this);
    if (waiting == 0)
        body.reset();
}

// What nobody wants is read past.
void h2_stream::take_body(text bytes) {
    if (!body)
        return;
    body->feed(bytes);
    if (!body->is_too_large())
        return;
    closing = true;
    body.reset();
    answer_error(*this, error::entity_too_large, "/");
}

void h2_stream::end_body() {
    is_ended_ = true;
    finish_body();
}

void h2_stream::close() noexcept {
    session_ = nullptr;
    open_link::unlink();
    unended_link::unlink();
    if (waiting == 0)
        home_.give(*this);
    else
        home_.leave(*this);
}

void h2_stream::reset() noexcept {
    body.reset();
    content = {};
    space_n_ = 0;
    has_head_ = is_ended_ = is_too_large_ = false;
    forget();
}

void h2_stream::on_commit() {
    if (session_ == nullptr) {
        open_link::unlink(); // where it was left
        home_.give(*this);
        return;
    }
    then(*this);
    if (waiting > 0)
        return;
    body.reset();
    session_->wake();
}

void h2_stream::begin_response(unsigned status) {
    home_.answer.begin(status);
}

// A stream ends by itself: no header of a connection is told.
void h2_stream::add_header(text name, text value) {
    if (name != "Connection")
        home_.answer.add(name, value);
}

void h2_stream::end_response(answer_content body_sent) {
    content = std::move(body_sent);
    session_->submit(*this, home_.answer.fields());
}

} // namespace pausemark::epoll
