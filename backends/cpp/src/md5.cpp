// The low-level calls: EVP_DigestInit_ex of OpenSSL 3.0 allocates its state anew for every digest.
#define OPENSSL_SUPPRESS_DEPRECATED // here alone, for that reason; they run the same code as EVP
#include "md5.h"

namespace pausemark {

// None of the three can fail: they return 1 whatever they are given.
md5_hasher::md5_hasher() noexcept {
    MD5_Init(&state_);
}

void md5_hasher::add(text bytes) noexcept {
    MD5_Update(&state_, bytes.data(), bytes.size());
}

md5_digest md5_hasher::finish() noexcept {
    md5_digest digest;
    MD5_Final(digest.data(), &state_);
    return digest;
}

} // namespace pausemark
