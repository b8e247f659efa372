// A request whose body is being read: an object's or a part's PUT, or a document that is sent.
#pragma once
#include "aws_chunked.h"
#include "checksums.h"
#include "error.h"
#include "md5.h"
#include "object.h"

namespace pausemark {

struct call;
struct request;

inline constexpr std::uint64_t document_bytes_max = std::uint64_t{8} << 20;

// What becomes of a body: an object, a part, what POST ?delete and POST ?uploadId name, or the
// settings of a bucket, which are only compared with what was signed.
enum class purpose { object, part, key_list, part_list, bucket };

// Names and header values are views into the request that is being read.
class upload {
  public:
    upload(std::uint64_t bytes_max, purpose what) noexcept;
    upload(const upload &) = delete; // its parts point at each other
    upload &operator=(const upload &) = delete;

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
    [[nodiscard]] error find_place(const request &r) const;
    [[nodiscard]] error read_length(const request &r, std::uint64_t &length) noexcept;
    void take_content(text bytes) noexcept;
    [[nodiscard]] error verify() noexcept;
    [[nodiscard]] bool is_document() const noexcept {
        return purpose_ != purpose::object && purpose_ != purpose::part;
    }
    [[nodiscard]] bool makes_object() const noexcept {
        return purpose_ == purpose::object || purpose_ == purpose::part_list;
    }
    void store_object(call &c);
    void answer_stored(call &c) const;

    const purpose purpose_;
    bool wants_md5_ = false, is_aws_chunked_ = false;
    error error_ = error::none; // the first thing that went wrong; the rest is read past
    std::uint64_t decoded_length_ = length_unknown;
    const std::uint64_t bytes_max_;
    md5_digest md5_expected_{}, md5_found_{};
    object_ref object_; // the content so far
    md5_hasher md5_;
    checksums checksums_;
    body_proof proof_;
    aws_chunked aws_{&proof_};
};

// Checks the head and prepares c.body, or answers the error.
void open_upload(call &c, purpose what);
// What a write's head says beside its content: features that are not here, and what is kept, which
// it settles.
[[nodiscard]] error check_write(request &r, bool keeps_headers) noexcept;
// Its conditions, when there is a bucket, before its body is read: what is wrong, or none.
[[nodiscard]] error judge_write(const request &r);
// delete_many.cpp: answers POST ?delete from the body that was gathered.
void delete_many(call &c, const object &body);
// complete.cpp: answers POST ?uploadId likewise.
void complete_upload(call &c, const object &body);

} // namespace pausemark
