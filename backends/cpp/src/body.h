// The two bodies that Beast is taught: one that feeds an upload, one that sends from where bytes
// lie.
#pragma once
#include "answer_content.h"
#include "upload.h"
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/optional.hpp>

namespace pausemark {

namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace asio = boost::asio;

// Whoever wants the body's bytes; nobody while `wanted` points at an empty optional.
struct upload_body {
    struct value_type {
        std::optional<upload> *wanted = nullptr;
    };

    class reader {
      public:
        template <bool is_request, class Fields>
        reader(http::header<is_request, Fields> &, value_type &value) noexcept
            : wanted_(value.wanted) {}

        void init(const boost::optional<std::uint64_t> &, beast::error_code &ec) noexcept {
            ec = {};
        }
        template <class Buffers>
        std::size_t put(const Buffers &buffers, beast::error_code &ec) {
            std::size_t taken = 0;
            for (const asio::const_buffer piece : beast::buffers_range_ref(buffers)) {
                if (wanted_->has_value())
                    (*wanted_)->feed({static_cast<const char *>(piece.data()), piece.size()});
                taken += piece.size();
            }
            ec = {};
            return taken;
        }
        void finish(beast::error_code &ec) noexcept {
            ec = {};
        }

      private:
        std::optional<upload> *wanted_;
    };
};

struct answer_body {
    using value_type = answer_content;

    // A view of the writer's own array, valid until its next get().
    class pieces {
      public:
        using value_type = asio::const_buffer;
        using const_iterator = const asio::const_buffer *;
        pieces(const_iterator first, const_iterator last) noexcept : first_(first), last_(last) {}
        [[nodiscard]] const_iterator begin() const noexcept {
            return first_;
        }
        [[nodiscard]] const_iterator end() const noexcept {
            return last_;
        }

      private:
        const_iterator first_, last_;
    };

    class writer {
      public:
        using const_buffers_type = pieces;

        template <bool is_request, class Fields>
        writer(const http::header<is_request, Fields> &, const value_type &value) noexcept
            : value_(value), at_(value.from) {}

        void init(beast::error_code &ec) noexcept {
            ec = {};
        }
        boost::optional<std::pair<pieces, bool>> get(beast::error_code &ec) noexcept {
            ec = {};
            std::size_t count = 0;
            for (; at_ < value_.to && count < array_.size(); count++) {
                const text piece = value_.slice(at_);
                array_[count] = asio::const_buffer(piece.data(), piece.size());
                at_ += piece.size();
            }
            if (count == 0)
                return boost::none;
            return {{pieces(array_.data(), array_.data() + count), at_ < value_.to}};
        }

      private:
        const value_type &value_;
        std::uint64_t at_;
        std::array<asio::const_buffer, 16> array_; // a system call takes 64 with the head's
    };
};

} // namespace pausemark
