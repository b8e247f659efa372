// Which part of a bucket or of an object a query asks for.
#pragma once
#include "object.h"

namespace pausemark::s3 {

// Values are undecoded; one that is absent has no data().
struct subresource {
    bool location = false, is_delete = false, versioning = false, versions = false;
    bool uploads = false;
    text upload_id, part_number;
    kept_values overrides;    // "response-…": the first of several counts
    bool unsupported = false; // names something that S3 has and this subset has not
};
[[nodiscard]] subresource read_subresource(text query) noexcept;

} // namespace pausemark::s3
