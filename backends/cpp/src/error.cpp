// The table of errors, in the order of the enumeration.
#include "error.h"
#include <array>

namespace pausemark {

constexpr std::array table = {
    error_text{500, "InternalError", "There was no error."},
    error_text{403, "AccessDenied", "Access is denied."},
    error_text{400, "AuthorizationHeaderMalformed", "The authorization header is malformed."},
    error_text{400, "AuthorizationQueryParametersError",
               "The query's authorization parameters are malformed."},
    error_text{400, "BadDigest", "The digest you sent did not match what was received."},
    error_text{400, "BadRequest", "The request is not valid HTTP."},
    error_text{409, "BucketNotEmpty", "The bucket is not empty."},
    error_text{400, "XAmzContentSHA256Mismatch",
               "The body does not have the digest that x-amz-content-sha256 promised."},
    error_text{400, "EntityTooLarge", "The object exceeds the size limit."},
    error_text{400, "EntityTooSmall", "A part but the last is smaller than 5 MiB."},
    error_text{431, "RequestHeaderSectionTooLarge", "The request's head exceeds 16 KiB."},
    error_text{400, "IncompleteBody", "The body does not have the length that was promised."},
    error_text{500, "InternalError", "Memory is exhausted."},
    error_text{403, "InvalidAccessKeyId", "The access key is not known."},
    error_text{400, "InvalidArgument", "An argument is not valid."},
    error_text{400, "InvalidBucketName", "The bucket's name is not valid."},
    error_text{400, "InvalidRange", "The range cannot be satisfied."},
    error_text{400, "InvalidDigest", "The Content-MD5 is not valid."},
    error_text{400, "InvalidPart", "A part is not there, or has another ETag."},
    error_text{400, "InvalidPartOrder", "The parts are not in ascending order."},
    error_text{416, "InvalidRange", "The range cannot be satisfied."},
    error_text{400, "InvalidRequest", "The request is not valid."},
    error_text{400, "InvalidURI", "The URI cannot be parsed."},
    error_text{400, "KeyTooLongError", "The key is longer than 1024 bytes."},
    error_text{400, "MalformedTrailerError", "The trailer is not the one announced."},
    error_text{400, "MalformedXML", "The XML is not well formed or not as expected."},
    error_text{400, "MetadataTooLarge", "The metadata exceeds 2 KiB."},
    error_text{405, "MethodNotAllowed", "The method is not allowed on this resource."},
    error_text{411, "MissingContentLength", "A Content-Length is required."},
    error_text{404, "NoSuchBucket", "The bucket does not exist."},
    error_text{404, "NoSuchKey", "The key does not exist."},
    error_text{404, "NoSuchUpload", "The upload does not exist."},
    error_text{501, "NotImplemented", "This is not implemented."},
    error_text{412, "PreconditionFailed", "A precondition did not hold."},
    error_text{403, "RequestTimeTooSkewed", "The request's time is too far from the server's."},
    error_text{403, "SignatureDoesNotMatch",
               "The signature is not the one that the server computes."},
    error_text{503, "SlowDown", "The store is full; reduce your rate."},
    error_text{400, "TooManyBuckets", "There are 1000 buckets already."},
};
static_assert(table.size() == static_cast<std::size_t>(error::too_many_buckets) + 1);

const error_text &describe(error code) noexcept {
    return table[static_cast<std::size_t>(code)];
}

} // namespace pausemark
