// The common headers, lengths, errors and generated documents.
#include "exchange.h"
#include "xml_writer.h"

namespace pausemark {

static exchange &exchange_of(call &c) noexcept {
    return static_cast<exchange &>(c);
}

static beast::string_view to_beast(text t) noexcept {
    return {t.data(), t.size()};
}

answer::answer(call &c, unsigned status)
    : call_(c), status_(status), request_id_(c.at.next_request_id()) {
    exchange_of(c).begin_response(status);
    with("Date", c.at.date()).with("Server", "pausemark").with("x-amz-request-id", request_id());
}

// Without Beast's enumeration of names: nobody looks these up, so nobody need classify them.
answer &answer::with(text name, text value) {
    exchange_of(call_).response->insert(http::field::unknown, to_beast(name), to_beast(value));
    return *this;
}

void answer::end(std::uint64_t length, bool has_length) {
    exchange &x = exchange_of(call_);
    char digits[20];
    if (has_length)
        with("Content-Length", put_u64(digits, length));
    if (x.closing)
        with("Connection", "close");
    answer_body::value_type &body = x.response->body();
    if (x.head_only)
        body = {};
    x.end_response(body.to - body.from);
}

void answer::empty() {
    end(0, status_ != 204 && status_ != 304);
}

void answer::document(std::string xml) {
    const std::uint64_t length = xml.size();
    with("Content-Type", "application/xml");
    exchange_of(call_).response->body() = {nullptr, 0, length, std::move(xml)};
    end(length, true);
}

void answer::content(const object_ref &object, std::uint64_t from, std::uint64_t to) {
    exchange_of(call_).response->body() = {object, from, to, {}};
    end(to - from, true);
}

void answer_error(call &c, error code, text resource) {
    const error_text &e = describe(code);
    answer a(c, e.status);
    std::string xml(xml::declaration);
    xml.append("<Error><Code>").append(e.code);
    xml.append("</Code><Message>").append(e.message).append("</Message><Resource>");
    xml::add_escaped(xml, resource);
    xml.append("</Resource><RequestId>").append(a.request_id()).append("</RequestId></Error>");
    a.document(std::move(xml));
}

} // namespace pausemark
