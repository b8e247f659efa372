// Where a copy comes from: "[/]bucket/key[?versionId=null]", percent-encoded.
#pragma once
#include "error.h"
#include "request.h"
#include <string>

namespace pausemark::s3 {

class copy_source {
  public:
    // What is wrong with the header, or none.
    [[nodiscard]] error read(text header);
    [[nodiscard]] bool is(text bucket, text key) const noexcept {
        return bucket == bucket_ && key == key_;
    }
    // Finds it and judges the request's conditions on it.
    [[nodiscard]] error find(const request &r, object_ref &found) const;

  private:
    std::string decoded_;
    text bucket_, key_; // views of decoded_
};

} // namespace pausemark::s3
