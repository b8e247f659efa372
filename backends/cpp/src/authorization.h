// Who asks by Signature Version 4: the Authorization header or a presigned URL, taken apart.
#pragma once
#include "error.h"

namespace pausemark {

struct request;

// Views into the header, or into what was decoded from the query.
struct authorization {
    text credential, signed_names, signature;
    text key_id, scope, day, region; // of the credential, by split_credential()
    bool is_query = false;
    std::int64_t at_s = 0, expires_s = 0; // the query's
};

// Nothing when the request says nothing of who asks. What is wrong with the form, or none.
[[nodiscard]] error read_authorization(request &r, std::optional<authorization> &given) noexcept;
// "<key id>/<day>/<region>/s3/aws4_request"; false when it is not, or when the signed names do not
// rise.
[[nodiscard]] bool split_credential(authorization &a) noexcept;

} // namespace pausemark
