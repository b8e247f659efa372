// The closed list of failures with their codes and statuses.

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
	errBadRequest       = &failure{400, "InvalidRequest", "The request is malformed.", true}
	errHeadTooLarge     = &failure{431, "RequestHeaderSectionTooLarge", "The request head exceeds 16 KiB.", true}
	errAuthorization    = &failure{400, "AuthorizationHeaderMalformed", "The authorization header is malformed.", false}
	errAccessDenied     = &failure{403, "AccessDenied", "Access is denied.", false}
	errInvalidRequest   = &failure{400, "InvalidRequest", "The request is not valid.", false}
	errInvalidURI       = &failure{400, "InvalidURI", "The request target could not be parsed.", false}
	errInvalidArgument  = &failure{400, "InvalidArgument", "An argument has an invalid value.", false}
	errInvalidBucket    = &failure{400, "InvalidBucketName", "The bucket name is not valid.", false}
	errNoSuchBucket     = &failure{404, "NoSuchBucket", "The bucket does not exist.", false}
	errNoSuchKey        = &failure{404, "NoSuchKey", "The key does not exist.", false}
	errBucketNotEmpty   = &failure{409, "BucketNotEmpty", "The bucket is not empty.", false}
	errKeyTooLong       = &failure{400, "KeyTooLongError", "The key exceeds 1024 bytes.", false}
	errMetadataTooLarge = &failure{400, "MetadataTooLarge", "The metadata exceeds 2 KiB.", false}
	errTooLarge         = &failure{400, "EntityTooLarge", "The object exceeds the size limit.", true}
	errSlowDown         = &failure{503, "SlowDown", "The store is full.", false}
	errMissingLength    = &failure{411, "MissingContentLength", "A Content-Length is required.", false}
	errIncompleteBody   = &failure{400, "IncompleteBody", "The body is not what its headers announced.", true}
	errBadDigest        = &failure{400, "BadDigest", "The body does not match its digest.", false}
	errInvalidDigest    = &failure{400, "InvalidDigest", "The digest is not valid.", false}
	errPartsTooLarge    = &failure{400, "EntityTooLarge", "The object exceeds the size limit.", false}
	errPartTooSmall     = &failure{400, "EntityTooSmall", "A part but the last is smaller than 5 MiB.", false}
	errInvalidPart      = &failure{400, "InvalidPart", "A part is not there, or has another ETag.", false}
	errPartOrder        = &failure{400, "InvalidPartOrder", "The parts are not in ascending order.", false}
	errNoSuchUpload     = &failure{404, "NoSuchUpload", "The upload does not exist.", false}
	errCopyRange        = &failure{400, "InvalidRange", "The range cannot be satisfied.", false}
	errInvalidRange     = &failure{416, "InvalidRange", "The range is not satisfiable.", false}
	errPrecondition     = &failure{412, "PreconditionFailed", "A precondition did not hold.", false}
	errMalformedXML     = &failure{400, "MalformedXML", "The XML is not well formed or not as expected.", false}
	errInternal         = &failure{500, "InternalError", "The write could not be logged.", false}
	errSelfCopy         = &failure{400, "InvalidRequest", "The request is not valid.", false}
	errNotImplemented   = &failure{501, "NotImplemented", "The operation is outside the subset.", false}
	errMethod           = &failure{405, "MethodNotAllowed", "The method is not allowed here.", false}

	errUnknownKey = &failure{403, "InvalidAccessKeyId",
		"The access key is not known.", false}
	errSignature = &failure{403, "SignatureDoesNotMatch",
		"The signature is not the one that the server computes.", false}
	errSkewed = &failure{403, "RequestTimeTooSkewed",
		"The request's time is too far from the server's.", false}
	errPayloadMismatch = &failure{400, "XAmzContentSHA256Mismatch",
		"The body does not have the digest that x-amz-content-sha256 promised.", false}
)

// refusal is the failure for a request that the gate refused.
func refusal(status int) *failure {
	if status == http.StatusRequestHeaderFieldsTooLarge {
		return errHeadTooLarge
	}
	return errBadRequest
}
