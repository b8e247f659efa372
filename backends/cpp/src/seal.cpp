// The one comparison of signatures.
#include "seal.h"
#include <openssl/crypto.h>

namespace pausemark {

bool is_signature(text given, const hex_digest &ours) noexcept {
    return given.size() == ours.size() &&
           CRYPTO_memcmp(given.data(), ours.data(), ours.size()) == 0;
}

} // namespace pausemark
