// A request whose body is being read: an object's PUT, or the key list of POST ?delete.
#pragma once
#include "aws_chunked.h"
#include "error.h"
#include "object.h"
#include <memory>
#include <openssl/evp.h>

namespace pausemark {

struct call;
struct request;

inline constexpr std::uint64_t delete_body_bytes_max = std::uint64_t{8} << 20;

// MD5 by OpenSSL, fetched once: a fetch per request takes locks.
class md5_hasher {
  public:
    // False when the machine's OpenSSL has no MD5. Call once, before any thread.
    [[nodiscard]] static bool start() noexcept;
    // False when memory is exhausted.
    [[nodiscard]] bool restart() noexcept;
    void add(text bytes) noexcept;
    [[nodiscard]] md5_digest finish() noexcept;

  private:
    struct ender {
        void operator()(EVP_MD_CTX *c) const noexcept {
            EVP_MD_CTX_free(c);
        }
    };
    std::unique_ptr<EVP_MD_CTX, ender> context_;
};

// Names and header values are views into the request that is being read.
class upload {
  public:
    upload(const request &r, std::uint64_t bytes_max, bool is_delete) noexcept;

    // Checks the head and reserves room; what is wrong, or none.
    [[nodiscard]] error open(request &r);
    void feed(text bytes) noexcept;
    // Verifies, stores and answers; the answer may come later, from c.then.
    void finish(call &c);
    [[nodiscard]] bool is_too_large() const noexcept {
        return error_ == error::entity_too_large;
    }

  private:
    [[nodiscard]] error read_checks(const request &r) noexcept;
    [[nodiscard]] error check_put(request &r) noexcept;
    [[nodiscard]] error read_length(const request &r, std::uint64_t &length) noexcept;
    void take_content(text bytes) noexcept;
    [[nodiscard]] error verify() noexcept;
    void answer_stored(call &c) const;

    const bool is_delete_;
    bool only_if_absent_ = false, wants_crc32_ = false, wants_md5_ = false;
    bool is_aws_chunked_ = false, wants_trailer_ = false;
    error error_ = error::none; // the first thing that went wrong; the rest is read past
    std::uint32_t crc32_ = 0, crc32_expected_ = 0;
    std::uint64_t decoded_length_ = length_unknown;
    const std::uint64_t bytes_max_;
    md5_digest md5_expected_{}, md5_found_{};
    text crc32c_, crc64nvme_; // echoed, not verified
    object_ref object_;       // the content so far
    md5_hasher md5_;
    aws_chunked aws_;
};

// Checks the head and prepares c.body, or answers the error.
void open_upload(call &c, bool is_delete);
// delete_many.cpp: answers POST ?delete from the body that was gathered.
void delete_many(call &c, const object &body);

} // namespace pausemark
