// A line-driven state machine: sizes and trailers are lines, data is counted.
#include "aws_chunked.h"
#include <algorithm>

namespace pausemark {

// Moves bytes to the line until LF. False when the line is too long or ends in a bare LF.
bool aws_chunked::take_line(text &input, bool &ended) noexcept {
    ended = false;
    while (!input.empty() && !ended) {
        const char c = input.front();
        input.remove_prefix(1);
        if (c == '\n')
            ended = true;
        else if (line_n_ == line_.size())
            return false;
        else
            line_[line_n_++] = c;
    }
    return !ended || (line_n_ > 0 && line_[--line_n_] == '\r');
}

bool aws_chunked::read_size() noexcept {
    text rest(line_.data(), line_n_);
    const text size = cut(rest, ';');
    if (size.empty() || size.size() > 15)
        return false;
    chunk_rest_ = 0;
    for (const char c : size) {
        const int digit = hex_digit(c);
        if (digit < 0)
            return false;
        chunk_rest_ = chunk_rest_ << 4 | static_cast<std::uint64_t>(digit);
    }
    state_ = chunk_rest_ == 0 ? state::trailer : state::data;
    if (proof_ != nullptr)
        proof_->begin_chunk(rest);
    if (proof_ != nullptr && chunk_rest_ == 0)
        proof_->end_chunk();
    return true;
}

bool aws_chunked::read_trailer() noexcept {
    text value(line_.data(), line_n_);
    if (value.empty()) {
        state_ = state::done;
        if (proof_ != nullptr)
            proof_->end_trailers();
        return true;
    }
    const text name = trim(cut(value, ':'));
    value = trim(value);
    if (proof_ != nullptr)
        proof_->add_trailer(name, value);
    for (std::size_t kind = 0; kind < trailers_.size(); kind++) {
        if (!is_nocase(name, checksum_kinds[kind].name))
            continue;
        trailer_value &t = trailers_[kind];
        t.was_seen = true;
        t.n = std::min(value.size(), t.bytes.size());
        std::ranges::copy(value.substr(0, t.n), t.bytes.begin());
    }
    return true;
}

bool aws_chunked::end_line() noexcept {
    bool good = true;
    if (state_ == state::size) {
        good = read_size();
    } else if (state_ == state::data_end) {
        good = line_n_ == 0;
        state_ = state::size;
        if (proof_ != nullptr)
            proof_->end_chunk();
    } else {
        good = read_trailer();
    }
    line_n_ = 0;
    return good;
}

std::optional<text> aws_chunked::next(text &input) noexcept {
    if (state_ == state::done)
        return input.empty() ? std::optional(text()) : std::nullopt;
    if (state_ == state::data) {
        const text content = input.substr(
            0, static_cast<std::size_t>(std::min<std::uint64_t>(chunk_rest_, input.size())));
        input.remove_prefix(content.size());
        chunk_rest_ -= content.size();
        if (chunk_rest_ == 0)
            state_ = state::data_end;
        return content;
    }
    bool ended = false;
    if (!take_line(input, ended) || (ended && !end_line()))
        return std::nullopt;
    return text();
}

} // namespace pausemark
