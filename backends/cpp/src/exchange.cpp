// From bytes to a request, and from an answer to bytes.
#include "exchange.h"

namespace pausemark {

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
    asked.target = to_text(message.target());
    for (const auto &field : message)
        asked.read_header(to_text(field.name_string()), to_text(field.value()));
    // A method that is a token but none of HTTP's is a method that we do not allow.
    if (asked.verb == method::unknown)
        return error::method_not_allowed;
    const bool is_11 = message.version() == 11;
    if (!asked.is_sound() || (asked.has_encoding && !is_11))
        return error::bad_request;
    asked.keep_alive = is_11 && parser->keep_alive();
    parser->eager(true);
    return error::none;
}

void exchange::reset() noexcept {
    body.reset();
    serializer.reset();
    response.reset();
    parser.reset();
    arena_.release();
    asked.reset();
    closing = head_only = body_follows = false;
    change = {};
    work.reset();
    then = nullptr;
}

void exchange::begin_response(unsigned status) {
    serializer.reset();
    response.emplace(std::piecewise_construct, std::make_tuple(),
                     std::make_tuple(arena_allocator(&arena_)));
    response->version(11);
    response->result(status);
}

void exchange::end_response(std::uint64_t body_bytes) {
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
