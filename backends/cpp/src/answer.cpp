// The common headers, lengths, errors and generated documents.
#include "call.h"
#include "xml_writer.h"

namespace pausemark {

answer::answer(call &c, unsigned status)
    : call_(c), status_(status), request_id_(c.at.next_request_id()) {
    call_.begin_response(status);
    with("Date", c.at.date()).with("Server", "pausemark").with("x-amz-request-id", request_id());
}

answer &answer::with(text name, text value) {
    call_.add_header(name, value);
    return *this;
}

void answer::end(answer_content body, bool has_length) {
    char digits[20];
    if (has_length)
        with("Content-Length", put_u64(digits, body.to - body.from));
    if (call_.closing)
        with("Connection", "close");
    if (call_.head_only)
        body = {};
    call_.end_response(std::move(body));
}

void answer::empty() {
    end({}, status_ != 204 && status_ != 304);
}

void answer::document(std::string xml) {
    const std::uint64_t length = xml.size();
    with("Content-Type", "application/xml");
    end({nullptr, 0, length, std::move(xml)});
}

void answer::content(const object_ref &object, std::uint64_t from, std::uint64_t to) {
    end({object, from, to, {}});
}

void answer_error(call &c, error code, text resource) {
    const error_text &e = describe(code);
    answer a(c, e.status);
    std::string xml(xml::declaration);
    xml.append("<Error><Code>").append(e.code);
    xml.append("</Code><Message>");
    xml::add_escaped(xml, e.message);
    xml.append("</Message><Resource>");
    xml::add_escaped(xml, resource);
    xml.append("</Resource><RequestId>").append(a.request_id()).append("</RequestId></Error>");
    a.document(std::move(xml));
}

} // namespace pausemark
