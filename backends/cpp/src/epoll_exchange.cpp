// llhttp's callbacks, and answers into the desk's output.
#include "epoll_connection.h"
#include <cstring>

namespace pausemark::epoll {

static exchange &of(llhttp_t *parser) noexcept {
    return *static_cast<exchange *>(parser->data);
}

// Spans of one element follow each other: the head is parsed in one piece.
static void extend(text &seen, const char *at, std::size_t n) noexcept {
    seen = seen.data() == nullptr
               ? text(at, n)
               : text(seen.data(), static_cast<std::size_t>(at + n - seen.data()));
}

void exchange::take_header() noexcept {
    asked.bad = asked.bad || name_.empty(); // llhttp 8 lets ": value" pass
    // Present but empty is not absent.
    take_field(name_, value_.data() == nullptr ? text("") : trim(value_));
    name_ = value_ = {};
}

// A trailer of a chunked body is read past. Pausing at the end of a message is what keeps pipelined
// requests apart.
const llhttp_settings_t exchange::settings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_url = [](llhttp_t *p, const char *at, std::size_t n) {
        extend(of(p).asked.target, at, n);
        return 0;
    };
    s.on_header_field = [](llhttp_t *p, const char *at, std::size_t n) {
        if (of(p).in_head_)
            extend(of(p).name_, at, n);
        return 0;
    };
    s.on_header_value = [](llhttp_t *p, const char *at, std::size_t n) {
        if (of(p).in_head_)
            extend(of(p).value_, at, n);
        return 0;
    };
    s.on_header_value_complete = [](llhttp_t *p) {
        if (of(p).in_head_)
            of(p).take_header();
        return 0;
    };
    s.on_headers_complete = [](llhttp_t *p) {
        p->upgrade = 0; // we speak one protocol: an Upgrade header is just a header
        of(p).asked.keep_alive = llhttp_should_keep_alive(p) != 0 && p->http_minor == 1;
        of(p).head_done_ = true;
        return 0;
    };
    s.on_body = [](llhttp_t *p, const char *at, std::size_t n) {
        if (of(p).body)
            of(p).body->feed({at, n});
        return 0;
    };
    s.on_message_complete = [](llhttp_t *p) {
        of(p).body_follows = false;
        return static_cast<int>(HPE_PAUSED);
    };
    return s;
}();

exchange::exchange(desk &d) noexcept : epoll_call(d) {
    llhttp_init(&parser_, HTTP_REQUEST, &settings);
    parser_.data = this;
}

static method to_method(llhttp_method_t verb) noexcept {
    switch (verb) {
    case HTTP_GET:
        return method::get;
    case HTTP_HEAD:
        return method::head;
    case HTTP_PUT:
        return method::put;
    case HTTP_POST:
        return method::post;
    case HTTP_DELETE:
        return method::remove;
    default:
        return method::other;
    }
}

// A method that is a token but none of llhttp's is a method that we do not allow.
error exchange::why_bad(text head) const noexcept {
    const std::size_t n = head.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_");
    const bool unknown = llhttp_get_errno(&parser_) == HPE_INVALID_METHOD && n > 0 &&
                         n != text::npos && head[n] == ' ';
    return unknown ? error::method_not_allowed : error::bad_request;
}

error exchange::read_head(text head) {
    auto *const copied = static_cast<char *>(arena_.allocate(head.size(), 1));
    std::memcpy(copied, head.data(), head.size());
    in_head_ = body_follows = true;
    begin_fields();
    const llhttp_errno_t parsed = llhttp_execute(&parser_, copied, head.size());
    in_head_ = false;
    if (parsed == HPE_PAUSED)
        llhttp_resume(&parser_);
    else if (parsed != HPE_OK)
        return why_bad(head);
    const text line = asked.target;
    if (line.empty() || line.data()[-2] == ' ' || line.data()[line.size() + 1] == ' ')
        return error::bad_request; // llhttp lets more than one space pass
    if (!head_done_ || !asked.is_sound() || parser_.http_major != 1 ||
        (asked.has_encoding && parser_.http_minor == 0))
        return error::bad_request;
    const auto verb = static_cast<llhttp_method_t>(parser_.method);
    asked.verb = to_method(verb);
    asked.verb_name = llhttp_method_name(verb);
    return error::none;
}

body_step exchange::feed_body(text input) noexcept {
    const llhttp_errno_t parsed = llhttp_execute(&parser_, input.data(), input.size());
    if (parsed == HPE_OK)
        return {body_state::partial, input.size()};
    if (parsed != HPE_PAUSED)
        return {body_state::bad, input.size()};
    const char *const end = llhttp_get_error_pos(&parser_);
    llhttp_resume(&parser_);
    return {body_state::complete, static_cast<std::size_t>(end - input.data())};
}

void exchange::reset() noexcept {
    body.reset();
    large = {};
    arena_.release();
    llhttp_reset(&parser_);
    name_ = value_ = {};
    head_done_ = false;
    forget();
}

static text status_line(unsigned status) noexcept {
    switch (status) {
    case 200:
        return "HTTP/1.1 200 OK\r\n";
    case 204:
        return "HTTP/1.1 204 No Content\r\n";
    case 206:
        return "HTTP/1.1 206 Partial Content\r\n";
    case 304:
        return "HTTP/1.1 304 Not Modified\r\n";
    case 400:
        return "HTTP/1.1 400 Bad Request\r\n";
    case 403:
        return "HTTP/1.1 403 Forbidden\r\n";
    case 404:
        return "HTTP/1.1 404 Not Found\r\n";
    case 405:
        return "HTTP/1.1 405 Method Not Allowed\r\n";
    case 409:
        return "HTTP/1.1 409 Conflict\r\n";
    case 411:
        return "HTTP/1.1 411 Length Required\r\n";
    case 412:
        return "HTTP/1.1 412 Precondition Failed\r\n";
    case 416:
        return "HTTP/1.1 416 Range Not Satisfiable\r\n";
    case 431:
        return "HTTP/1.1 431 Request Header Fields Too Large\r\n";
    case 501:
        return "HTTP/1.1 501 Not Implemented\r\n";
    case 503:
        return "HTTP/1.1 503 Service Unavailable\r\n";
    default:
        return "HTTP/1.1 500 Internal Server Error\r\n";
    }
}

void exchange::on_commit() {
    holder->on_commit();
}

void exchange::begin_response(unsigned status) {
    at.put(status_line(status));
}

void exchange::add_header(text name, text value) {
    at.put(name);
    at.put(": ");
    at.put(value);
    at.put("\r\n");
}

void exchange::end_response(answer_content content) {
    at.put("\r\n");
    if (content.to - content.from > inline_body_bytes_max) {
        large = std::move(content);
        return;
    }
    while (content.from < content.to) {
        const text piece = content.slice(content.from);
        at.put(piece);
        content.from += piece.size();
    }
}

} // namespace pausemark::epoll
