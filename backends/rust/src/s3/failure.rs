//! Every error that this subset answers with.

/// An answer that is an error: its status, and its code and words in the body.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub status: u16,
    pub code: &'static str,
    pub message: &'static str,
    /// Whether the connection ends with it.
    pub closing: bool,
}

macro_rules! failures {
    ($($name:ident = $status:literal $code:literal $message:literal $($closing:ident)?;)*) => {
        $(pub static $name: Failure = Failure {
            status: $status,
            code: $code,
            message: $message,
            closing: failures!(@ $($closing)?),
        };)*
    };
    (@ closing) => { true };
    (@) => { false };
}

failures! {
    BAD_REQUEST = 400 "BadRequest" "The request is not valid HTTP." closing;
    HEAD_TOO_LARGE = 431 "RequestHeaderSectionTooLarge"
        "The request's head exceeds 16 KiB." closing;
    AUTHORIZATION = 400 "AuthorizationHeaderMalformed" "The authorization header is malformed.";
    AUTHORIZATION_QUERY = 400 "AuthorizationQueryParametersError"
        "The query's authorization parameters are malformed.";
    INVALID_REQUEST = 400 "InvalidRequest" "The request is not valid.";
    ACCESS_DENIED = 403 "AccessDenied" "Access is denied.";
    INVALID_ACCESS_KEY_ID = 403 "InvalidAccessKeyId" "The access key is not known.";
    SIGNATURE_DOES_NOT_MATCH = 403 "SignatureDoesNotMatch"
        "The signature is not the one that the server computes.";
    REQUEST_TIME_TOO_SKEWED = 403 "RequestTimeTooSkewed"
        "The request's time is too far from the server's.";
    CONTENT_SHA256_MISMATCH = 400 "XAmzContentSHA256Mismatch"
        "The body does not have the digest that x-amz-content-sha256 promised.";
    INVALID_URI = 400 "InvalidURI" "The URI cannot be parsed.";
    INVALID_ARGUMENT = 400 "InvalidArgument" "An argument is not valid.";
    INVALID_BUCKET_NAME = 400 "InvalidBucketName" "The bucket's name is not valid.";
    NO_SUCH_BUCKET = 404 "NoSuchBucket" "The bucket does not exist.";
    NO_SUCH_KEY = 404 "NoSuchKey" "The key does not exist.";
    NO_SUCH_UPLOAD = 404 "NoSuchUpload" "The upload does not exist.";
    INVALID_PART = 400 "InvalidPart" "A part is not there, or has another ETag.";
    INVALID_PART_ORDER = 400 "InvalidPartOrder" "The parts are not in ascending order.";
    ENTITY_TOO_SMALL = 400 "EntityTooSmall" "A part but the last is smaller than 5 MiB.";
    SUM_TOO_LARGE = 400 "EntityTooLarge" "The object exceeds the size limit.";
    BUCKET_NOT_EMPTY = 409 "BucketNotEmpty" "The bucket is not empty.";
    KEY_TOO_LONG = 400 "KeyTooLongError" "The key is longer than 1024 bytes.";
    METADATA_TOO_LARGE = 400 "MetadataTooLarge" "The metadata exceeds 2 KiB.";
    ENTITY_TOO_LARGE = 400 "EntityTooLarge" "The object exceeds the size limit." closing;
    SLOW_DOWN = 503 "SlowDown" "The store is full; reduce your rate.";
    MISSING_LENGTH = 411 "MissingContentLength" "A Content-Length is required.";
    INCOMPLETE_BODY = 400 "IncompleteBody" "The body does not have the length that was promised.";
    BAD_DIGEST = 400 "BadDigest" "The digest you sent did not match what was received.";
    INVALID_DIGEST = 400 "InvalidDigest" "The Content-MD5 is not valid.";
    INVALID_RANGE = 416 "InvalidRange" "The range cannot be satisfied.";
    COPY_RANGE = 400 "InvalidRange" "The range cannot be satisfied.";
    PRECONDITION = 412 "PreconditionFailed" "A precondition did not hold.";
    MALFORMED_TRAILER = 400 "MalformedTrailerError" "The trailer is not the one announced.";
    MALFORMED_XML = 400 "MalformedXML" "The XML is not well formed or not as expected.";
    NOT_IMPLEMENTED = 501 "NotImplemented" "This is not implemented.";
    INTERNAL_ERROR = 500 "InternalError" "The write could not be logged.";
    METHOD = 405 "MethodNotAllowed" "The method is not allowed on this resource.";
}
