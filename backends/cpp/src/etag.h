// Entity tags: the quoted hex of an MD5, with "-<parts>" for a multipart object.
#pragma once
#include "object.h"

namespace pausemark {

class etag {
  public:
    etag(const md5_digest &md5, std::uint16_t parts) noexcept {
        chars_[0] = '"';
        put_hex(chars_.data() + 1, md5);
        n_ = 33;
        if (parts > 0) {
            char digits[20];
            chars_[n_++] = '-';
            for (const char c : put_u64(digits, parts))
                chars_[n_++] = c;
        }
        chars_[n_++] = '"';
    }
    explicit etag(const object &o) noexcept : etag(o.md5, o.parts) {}
    [[nodiscard]] text quoted() const noexcept {
        return {chars_.data(), n_};
    }
    [[nodiscard]] text bare() const noexcept {
        return {chars_.data() + 1, n_ - 2};
    }

  private:
    std::array<char, 40> chars_; // 32 digits, two quotes, "-65535"
    std::size_t n_;
};

} // namespace pausemark
