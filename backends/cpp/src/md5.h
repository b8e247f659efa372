// MD5 by OpenSSL, in a context that needs no memory beside itself.
#pragma once
#include "object.h"
#include <openssl/md5.h>

namespace pausemark {

// For one digest: add as often as needed, then finish.
class md5_hasher {
  public:
    md5_hasher() noexcept;
    void add(text bytes) noexcept;
    [[nodiscard]] md5_digest finish() noexcept;

  private:
    MD5_CTX state_;
};

} // namespace pausemark
