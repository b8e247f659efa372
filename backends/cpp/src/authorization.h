// The Authorization header of Signature Version 4, taken apart.
#pragma once
#include "text.h"

namespace pausemark {

// Views into the header.
struct authorization {
    text credential, signed_names, signature;
    text key_id, scope, day, region; // of the credential, by split_credential()
};

// "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...": nothing unless all three
// are there and none is empty.
[[nodiscard]] std::optional<authorization> read_authorization(text header) noexcept;
// "<key id>/<day>/<region>/s3/aws4_request"; false when it is not, or when the signed names do not
// rise.
[[nodiscard]] bool split_credential(authorization &a) noexcept;

} // namespace pausemark
