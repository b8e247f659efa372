// The error codes that answers carry, each with its status and message.
#pragma once
#include "text.h"

namespace pausemark {

enum class error {
    none,
    access_denied,
    access_form,
    access_query,
    bad_digest,
    bad_request,
    bucket_not_empty,
    content_sha256_mismatch,
    entity_too_large,
    entity_too_small,
    head_too_large,
    incomplete_body,
    internal,
    invalid_access_key_id,
    invalid_argument,
    invalid_bucket_name,
    invalid_copy_range,
    invalid_digest,
    invalid_part,
    invalid_part_order,
    invalid_range,
    invalid_request,
    invalid_uri,
    key_too_long,
    malformed_trailer,
    malformed_xml,
    metadata_too_large,
    method_not_allowed,
    missing_length,
    no_such_bucket,
    no_such_key,
    no_such_upload,
    not_implemented,
    precondition_failed,
    request_time_skewed,
    signature_mismatch,
    slow_down,
    too_many_buckets
};

struct error_text {
    unsigned status;
    text code, message;
};
[[nodiscard]] const error_text &describe(error code) noexcept;

} // namespace pausemark
