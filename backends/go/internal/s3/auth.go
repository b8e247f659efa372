// Who asks: signatures that are verified, or only read, and digests that a signature covers.

package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
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

var errTwice = errors.New("there is a header and a query")

var authFailures = map[error]*failure{
	sigv4.ErrMissing:    errAccessDenied,
	sigv4.ErrMalformed:  errAuthorization,
	sigv4.ErrQuery:      errQueryParameters,
	sigv4.ErrUnknownKey: errUnknownKey,
	sigv4.ErrDate:       errAccessDenied,
	sigv4.ErrExpired:    errAccessDenied,
	sigv4.ErrSkewed:     errSkewed,
	sigv4.ErrUnsigned:   errAccessDenied,
	sigv4.ErrNoPayload:  errInvalidRequest,
	sigv4.ErrSignature:  errSignature,
	sigv4.ErrTooMany:    errInvalidRequest,
	errTwice:            errInvalidArgument,
}

// authenticate judges who asks, before anything of the request is done.
func (h *Handler) authenticate(e *Exchange) *failure {
	inQuery := e.query.has(sigv4.ParameterAlgorithm) || e.query.has(sigv4.ParameterSignature)
	claim, err := e.readClaim(inQuery)
	switch {
	case h.verifier == nil && (err == nil || err == sigv4.ErrMissing):
		return nil
	case err != nil:
		return authFailures[err]
	}
	if e.seal, err = h.verifier.Verify(&e.Request, &claim, time.Now()); err != nil {
		return authFailures[err]
	}
	return judgePayload(&e.Request, inQuery)
}

func (e *Exchange) readClaim(inQuery bool) (sigv4.Claim, error) {
	switch {
	case !inQuery:
		return sigv4.ReadHeader(&e.Request)
	case e.Request.Has("authorization"):
		return sigv4.Claim{}, errTwice
	default:
		return sigv4.ReadQuery(e.query.find)
	}
}

// judgePayload refuses what no reader of a body would come to judge: an unknown kind, and the digest
// of a body that is not there. A URL's signature was made before any chunk, which could continue it.
func judgePayload(request *wire.Request, inQuery bool) *failure {
	kind, count := request.Find("x-amz-content-sha256")
	switch {
	case inQuery && count == 0:
		return nil
	case inQuery && (kind == signedChunks || kind == signedChunksTrailer):
		return errNotImplemented
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
