// A request as its handler sees it, and the answer that the handler builds.
#pragma once
#include "answer_content.h"
#include "desk.h"
#include "error.h"
#include "request.h"
#include "upload.h"
#include "write.h"
#include <string>

namespace pausemark {

// Every call is an exchange, which adds the HTTP library's part: what it makes of an answer, told
// in the order in which it goes out.
struct call {
    explicit call(desk &d) noexcept : at(d) {}
    call(const call &) = delete;
    call &operator=(const call &) = delete;
    virtual void begin_response(unsigned status) = 0;
    virtual void add_header(text name, text value) = 0;
    // Into the desk's output; a large body goes when the connection sends it.
    virtual void end_response(answer_content body) = 0;

    desk &at;
    request asked;
    std::optional<upload> body; // the body that is being read, while somebody wants it
    bool closing = false;       // the connection ends with this answer
    bool head_only = false;
    bool body_follows = false; // the head is read and the body is not

    write change;                   // what the request asks to change, when it is one thing
    void (*then)(call &) = nullptr; // answers, or goes on, once nothing is waited for
    std::shared_ptr<void> work;     // what `then` needs beyond this, when it is more than a change
    unsigned waiting = 0;           // how many writes the log has not given back yet

  protected:
    ~call() = default;
    // Each field of a head, for the request and for whoever verifies its signature.
    void begin_fields() noexcept {
        if (at.guard != nullptr)
            at.guard->begin_head();
    }
    void take_field(text name, text value) noexcept {
        asked.read_header(name, value);
        if (at.guard != nullptr)
            at.guard->add_field(name, value);
    }
    // As before the first request.
    void forget() noexcept {
        asked.reset();
        closing = head_only = body_follows = false;
        change = {};
        work.reset();
        then = nullptr;
    }
};

// One answer, its headers in the contract's order. The temporary lives for one statement:
// answer(c, 200).with("ETag", tag).empty();
class answer {
  public:
    answer(call &c, unsigned status);
    answer &with(text name, text value);
    // Each ends the answer. 204 and 304 have no length.
    void empty();
    void document(std::string xml);
    void content(const object_ref &object, std::uint64_t from, std::uint64_t to);

    [[nodiscard]] text request_id() const noexcept {
        return view(request_id_);
    }

  private:
    void end(answer_content body, bool has_length = true);

    call &call_;
    const unsigned status_;
    const desk::request_id request_id_;
};

// `resource` is the request's undecoded path.
void answer_error(call &c, error code, text resource);

} // namespace pausemark
