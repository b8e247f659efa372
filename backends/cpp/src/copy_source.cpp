// Decoded before it is split, because some clients encode the slash too.
#include "copy_source.h"
#include "precondition.h"
#include "store.h"

namespace pausemark::s3 {

error copy_source::read(text header) {
    text version = header;
    const text path = cut(version, '?');
    const bool has_version = path.size() < header.size();
    decoded_.resize(path.size());
    const auto plain = percent_decode(path, decoded_.data());
    if (!plain || !is_utf8(*plain))
        return error::invalid_argument;
    key_ = *plain;
    if (key_.starts_with('/'))
        key_.remove_prefix(1);
    bucket_ = cut(key_, '/');
    const text name = cut(version, '=');
    if (bucket_.empty() || key_.empty() ||
        (has_version && (name != "versionId" || version.empty())))
        return error::invalid_argument;
    return has_version && version != "null" ? error::not_implemented : error::none;
}

error copy_source::find(const request &r, object_ref &found) const {
    auto [outcome, object] = store::get(bucket_, key_);
    if (outcome != store::result::ok)
        return outcome == store::result::no_key ? error::no_such_key : error::no_such_bucket;
    const conditions asked{r.copy_if_match, r.copy_if_none_match, r.copy_if_modified_since,
                           r.copy_if_unmodified_since};
    if (precondition(asked, *object) != 0) // also where a GET is told that nothing was modified
        return error::precondition_failed;
    found = std::move(object);
    return error::none;
}

} // namespace pausemark::s3
