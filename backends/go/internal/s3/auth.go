// Who asks: signatures that are verified, or only read, and digests that a signature covers.

package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"pausemark/go/internal/sigv4"
	"pausemark/go/internal/wire"
)

// The payload kinds of aws-chunked bodies.
const (
	streamingPrefix     = "STREAMING-"
	signedChunks        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedChunksTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	unsignedTrailer     = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

var authFailures = map[error]*failure{
	sigv4.ErrMissing:    errAccessDenied,
	sigv4.ErrMalformed:  errAuthorization,
	sigv4.ErrUnknownKey: errUnknownKey,
	sigv4.ErrDate:       errAccessDenied,
	sigv4.ErrSkewed:     errSkewed,
	sigv4.ErrUnsigned:   errAccessDenied,
	sigv4.ErrNoPayload:  errInvalidRequest,
	sigv4.ErrSignature:  errSignature,
	sigv4.ErrTooMany:    errInvalidRequest,
}

// authenticate judges who asks, before anything of the request is done.
func (h *Handler) authenticate(e *Exchange) *failure {
	value, count := e.Request.Find("authorization")
	if count > 1 || (count == 1 && !sigv4.WellFormed(value)) {
		return errAuthorization
	}
	if e.query.has("X-Amz-Signature") {
		return errNotImplemented
	}
	if h.verifier == nil {
		return nil
	}
	seal, err := h.verifier.Verify(&e.Request, time.Now())
	if err != nil {
		return authFailures[err]
	}
	e.seal = seal
	return judgePayload(&e.Request)
}

// judgePayload refuses what no reader of a body would come to judge: an unknown kind, and the digest
// of a body that is not there.
func judgePayload(request *wire.Request) *failure {
	kind := request.Get("x-amz-content-sha256")
	switch {
	case kind == "UNSIGNED-PAYLOAD", kind == signedChunks, kind == signedChunksTrailer,
		kind == unsignedTrailer:
		return nil
	case strings.HasPrefix(kind, streamingPrefix):
		return errNotImplemented
	case !isHexSHA256(kind):
		return errInvalidArgument
	case request.Length == 0 && !strings.EqualFold(kind, emptySHA256):
		return errPayloadMismatch
	}
	return nil
}

// hasSHA256 compares a body with its digest in hex, which isHexSHA256 took.
func hasSHA256(body []byte, digest string) bool {
	var text [2 * sha256.Size]byte
	sum := sha256.Sum256(body)
	hex.Encode(text[:], sum[:])
	return strings.EqualFold(string(text[:]), digest)
}
