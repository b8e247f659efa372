// The closed list of failures with their codes and statuses, word for word as the contract has them.

package s3

import "net/http"

// failure is an answer that is an error: its status, and its code and words in the body.
type failure struct {
	status  int
	code    string
	message string
	closing bool // whether the connection ends with it
}

// Every error that this subset answers with.
var (
	errAccessDenied     = &failure{403, "AccessDenied", "Access is denied.", false}
	errAuthorization    = &failure{400, "AuthorizationHeaderMalformed", "The authorization header is malformed.", false}
	errBadDigest        = &failure{400, "BadDigest", "The digest you sent did not match what was received.", false}
	errBadRequest       = &failure{400, "BadRequest", "The request is not valid HTTP.", true}
	errBucketNotEmpty   = &failure{409, "BucketNotEmpty", "The bucket is not empty.", false}
	errTooLarge         = &failure{400, "EntityTooLarge", "The object exceeds the size limit.", true}
	errPartTooSmall     = &failure{400, "EntityTooSmall", "A part but the last is smaller than 5 MiB.", false}
	errIncompleteBody   = &failure{400, "IncompleteBody", "The body does not have the length that was promised.", false}
	errInternal         = &failure{500, "InternalError", "The write could not be logged.", false}
	errUnknownKey       = &failure{403, "InvalidAccessKeyId", "The access key is not known.", false}
	errInvalidArgument  = &failure{400, "InvalidArgument", "An argument is not valid.", false}
	errInvalidBucket    = &failure{400, "InvalidBucketName", "The bucket's name is not valid.", false}
	errInvalidDigest    = &failure{400, "InvalidDigest", "The Content-MD5 is not valid.", false}
	errInvalidPart      = &failure{400, "InvalidPart", "A part is not there, or has another ETag.", false}
	errPartOrder        = &failure{400, "InvalidPartOrder", "The parts are not in ascending order.", false}
	errInvalidRange     = &failure{416, "InvalidRange", "The range cannot be satisfied.", false}
	errCopyRange        = &failure{400, "InvalidRange", "The range cannot be satisfied.", false}
	errInvalidRequest   = &failure{400, "InvalidRequest", "The request is not valid.", false}
	errInvalidURI       = &failure{400, "InvalidURI", "The URI cannot be parsed.", false}
	errKeyTooLong       = &failure{400, "KeyTooLongError", "The key is longer than 1024 bytes.", false}
	errMalformedTrailer = &failure{400, "MalformedTrailerError", "The trailer is not the one announced.", false}
	errMalformedXML     = &failure{400, "MalformedXML", "The XML is not well formed or not as expected.", false}
	errMetadataTooLarge = &failure{400, "MetadataTooLarge", "The metadata exceeds 2 KiB.", false}
	errMethod           = &failure{405, "MethodNotAllowed", "The method is not allowed on this resource.", false}
	errMissingLength    = &failure{411, "MissingContentLength", "A Content-Length is required.", false}
	errNoSuchBucket     = &failure{404, "NoSuchBucket", "The bucket does not exist.", false}
	errNoSuchKey        = &failure{404, "NoSuchKey", "The key does not exist.", false}
	errNoSuchUpload     = &failure{404, "NoSuchUpload", "The upload does not exist.", false}
	errNotImplemented   = &failure{501, "NotImplemented", "This is not implemented.", false}
	errPrecondition     = &failure{412, "PreconditionFailed", "A precondition did not hold.", false}
	errHeadTooLarge     = &failure{431, "RequestHeaderSectionTooLarge", "The request's head exceeds 16 KiB.", true}
	errSlowDown         = &failure{503, "SlowDown", "The store is full; reduce your rate.", false}
	errTooManyBuckets   = &failure{400, "TooManyBuckets", "There are 1000 buckets already.", false}

	errQueryParameters = &failure{400, "AuthorizationQueryParametersError",
		"The query's authorization parameters are malformed.", false}
	errSkewed = &failure{403, "RequestTimeTooSkewed",
		"The request's time is too far from the server's.", false}
	errSignature = &failure{403, "SignatureDoesNotMatch",
		"The signature is not the one that the server computes.", false}
	errPayloadMismatch = &failure{400, "XAmzContentSHA256Mismatch",
		"The body does not have the digest that x-amz-content-sha256 promised.", false}
)

// refusal is the failure for what is no HTTP.
func refusal(status int) *failure {
	if status == http.StatusRequestHeaderFieldsTooLarge {
		return errHeadTooLarge
	}
	return errBadRequest
}
