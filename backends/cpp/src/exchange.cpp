// From bytes to a request, and from an answer to bytes.
#include "exchange.h"

namespace pausemark {

// More than any chunk's size line or trailer section may take.
constexpr std::size_t framing_bytes_max = 16384;

static method to_method(http::verb verb) noexcept {
    switch (verb) {
    case http::verb::get:
        return method::get;
    case http::verb::head:
        return method::head;
    case http::verb::put:
        return method::put;
    case http::verb::post:
        return method::post;
    case http::verb::delete_:
        return method::remove;
    case http::verb::unknown:
        return method::unknown;
    default:
        return method::other;
    }
}

static beast::string_view to_beast(text t) noexcept {
    return {t.data(), t.size()};
}

static text to_text(beast::string_view s) noexcept {
    return {s.data(), s.size()};
}

error exchange::read_head(text head) {
    beast::error_code ec;
    parser.emplace(std::piecewise_construct, std::make_tuple(upload_body::value_type{&body}),
                   std::make_tuple(arena_allocator(&arena_)));
    parser->header_limit(head_bytes_max + 1);
    // The upload has the limit. Boost 1.74 takes boost::none for "no body at all".
    parser->body_limit(UINT64_MAX);
    parser->put(asio::const_buffer(head.data(), head.size()), ec);
    if (ec || !parser->is_header_done())
        return error::bad_request;
    const auto &message = parser->get();
    asked.verb = to_method(message.method());
    asked.verb_name = to_text(message.method_string());
    asked.target = to_text(message.target());
    begin_fields();
    for (const auto &field : message)
        take_field(to_text(field.name_string()), to_text(field.value()));
    // A method that is a token but none of HTTP's is a method that we do not allow.
    if (asked.verb == method::unknown)
        return error::method_not_allowed;
    const bool is_11 = message.version() == 11;
    if (!asked.is_sound() || (asked.has_encoding && !is_11))
        return error::bad_request;
    asked.keep_alive = is_11 && parser->keep_alive();
    body_follows = !parser->is_done();
    parser->eager(true);
    return error::none;
}

static bool has_bare_feed(text bytes) noexcept {
    for (std::size_t at = 0; (at = bytes.find('\n', at)) != text::npos; at++) {
        if (at > 0 && bytes[at - 1] != '\r')
            return true;
    }
    return false;
}

body_step exchange::feed_body(text input) {
    beast::error_code ec;
    const std::size_t used = parser->put(asio::const_buffer(input.data(), input.size()), ec);
    if (parser->is_done())
        return {body_state::complete, used};
    const text rest = input.substr(used);
    const bool partial = !ec || ec == http::error::need_more;
    const bool good = partial && rest.size() <= framing_bytes_max && !has_bare_feed(rest);
    return {good ? body_state::partial : body_state::bad, used};
}

void exchange::reset() noexcept {
    body.reset();
    serializer.reset();
    response.reset();
    parser.reset();
    arena_.release();
    forget();
}

void exchange::begin_response(unsigned status) {
    serializer.reset();
    response.emplace(std::piecewise_construct, std::make_tuple(),
                     std::make_tuple(arena_allocator(&arena_)));
    response->version(11);
    response->result(status);
}

// Without Beast's enumeration of names: nobody looks these up, so nobody need classify them.
void exchange::add_header(text name, text value) {
    response->insert(http::field::unknown, to_beast(name), to_beast(value));
}

// Serializes: a small body into the desk's output, a large one when the connection sends it.
void exchange::end_response(answer_content sent) {
    const std::uint64_t body_bytes = sent.to - sent.from;
    response->body() = std::move(sent);
    serializer.emplace(*response);
    if (body_bytes > inline_body_bytes_max)
        return;
    while (!serializer->is_done()) {
        beast::error_code ec;
        std::size_t copied = 0;
        serializer->next(ec, [&](beast::error_code &, const auto &buffers) {
            const asio::mutable_buffer room(at.output.data() + at.output_n,
                                            at.output.size() - at.output_n);
            copied = asio::buffer_copy(room, buffers);
        });
        at.output_n += copied;
        serializer->consume(copied);
    }
    serializer.reset();
}

} // namespace pausemark
