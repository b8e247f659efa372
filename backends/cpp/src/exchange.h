// A request in progress: Beast's parser, response and serializer over one arena.
#pragma once
#include "body.h"
#include "call.h"
#include "conversation.h"
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <memory_resource>

namespace pausemark {

class connection;
using arena_allocator = std::pmr::polymorphic_allocator<char>;
using fields_type = http::basic_fields<arena_allocator>;
using parser_type = http::request_parser<upload_body, arena_allocator>;
using response_type = http::response<answer_body, fields_type>;
using serializer_type = http::serializer<false, answer_body, fields_type>;

// Taken when a head is complete, given back when its body is read and its answer sent, so that an
// idle connection holds none. Every header field that Beast copies lies in the arena, which is one
// pointer's increment and is reset at once.
class exchange final : public call {
  public:
    explicit exchange(desk &d) noexcept : call(d) {}

    // Parses exactly one head; what is wrong with it, or none.
    [[nodiscard]] error read_head(text head);
    // What the body takes of the input.
    [[nodiscard]] body_step feed_body(text input);
    // Ready for the next request.
    void reset() noexcept;

    void begin_response(unsigned status) override;
    void add_header(text name, text value) override;
    void end_response(answer_content body) override;
    [[nodiscard]] bool is_sending() const noexcept {
        return serializer.has_value();
    }

  private:
    std::array<std::byte, 8192> space_;
    std::pmr::monotonic_buffer_resource arena_{space_.data(), space_.size()};

  public:
    connection *holder = nullptr; // whose request it is
    std::optional<parser_type> parser;
    std::optional<response_type> response;
    std::optional<serializer_type> serializer;
};

} // namespace pausemark
