// The names that queries are known by.
#include "subresource.h"
#include "kept.h"
#include <algorithm>

namespace pausemark::s3 {

// Subresources that S3 has and this subset does not; unknown parameters (x-id) are ignored as S3
// does.
static bool is_unsupported(text name) noexcept {
    constexpr text names[] = {"accelerate",
                              "acl",
                              "analytics",
                              "attributes",
                              "cors",
                              "encryption",
                              "intelligent-tiering",
                              "inventory",
                              "legal-hold",
                              "lifecycle",
                              "logging",
                              "metrics",
                              "notification",
                              "object-lock",
                              "ownershipControls",
                              "policy",
                              "policyStatus",
                              "publicAccessBlock",
                              "replication",
                              "requestPayment",
                              "restore",
                              "retention",
                              "select",
                              "tagging",
                              "torrent",
                              "versionId",
                              "website"};
    return std::ranges::find(names, name) != std::end(names);
}

static void read_override(subresource &asked, text name, text value) noexcept {
    constexpr text prefix = "response-";
    if (!name.starts_with(prefix))
        return;
    name.remove_prefix(prefix.size());
    const auto which = find_kept(name);
    if (which && title_of(*which).logged == name && asked.overrides[*which].data() == nullptr)
        asked.overrides[*which] = value;
}

subresource read_subresource(text query) noexcept {
    subresource asked;
    text name, value;
    while (next_parameter(query, name, value)) {
        asked.unsupported = asked.unsupported || is_unsupported(name);
        asked.location = asked.location || name == "location";
        asked.is_delete = asked.is_delete || name == "delete";
        asked.versioning = asked.versioning || name == "versioning";
        asked.versions = asked.versions || name == "versions";
        asked.uploads = asked.uploads || name == "uploads";
        read_override(asked, name, value);
        if (name == "uploadId")
            asked.upload_id = value;
        else if (name == "partNumber")
            asked.part_number = value;
    }
    return asked;
}

} // namespace pausemark::s3
