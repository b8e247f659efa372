// What the headers of a body say of it: how it comes, how long it is, and what it must match.

package s3

import (
	"encoding/base64"
	"hash"
	"strconv"
	"strings"

	"pausemark/go/internal/sigv4"
	"pausemark/go/internal/store"
	"pausemark/go/internal/wire"
)

// body is how a body comes, what it must match, and then the content itself. See intake.go for how it is
// fed.
type body struct {
	length        int64 // of the content; -1 when nobody said
	bytesMax      int64
	tooLong       *failure // what a longer one is
	md5           [16]byte
	hasMD5        bool
	awsChunked    bool
	signedTrailer bool     // whether the chain ends with the trailers
	trailing      trailing // checksums that come in a trailer and have not yet
	checksums     checksums
	trailers      checksums
	sha256        string      // in hex; "" when nobody verifies it
	chain         *sigv4.Seal // what signed chunks continue; nil when nobody verifies them

	reserved int64
	content  []byte
	room     store.Room // where the content lies, unless it is Go's
	failed   *failure   // the first thing that went wrong; the rest is read past
	digest   hash.Hash  // MD5 of the begin of a large body
	digested int
	coding   coding
	line     []byte // of aws-chunked: what has come of it
}

// plan judges what the headers say of a body, before anybody looks for its place.
func (e *Exchange) plan() *failure {
	e.planned = true
	return e.body.readHeaders(&e.Request, e.seal)
}

func (b *body) readHeaders(request *wire.Request, seal *sigv4.Seal) *failure {
	if value, count := request.Find("content-md5"); count > 0 {
		var sum [18]byte // what 24 characters can hold
		if len(value) != base64.StdEncoding.EncodedLen(len(b.md5)) {
			return errInvalidDigest
		}
		length, err := base64.StdEncoding.Decode(sum[:], []byte(value))
		if err != nil || length != len(b.md5) {
			return errInvalidDigest
		}
		b.md5, b.hasMD5 = [16]byte(sum[:]), true
	}
	if failed := b.checksums.readHeaders(request); failed != nil {
		return failed
	}
	kind, count := request.Find("x-amz-content-sha256")
	if count == 0 {
		return nil
	}
	switch {
	case kind == "UNSIGNED-PAYLOAD":
	case isHexSHA256(kind):
		if seal != nil {
			b.sha256 = kind
		}
	case kind == signedChunks:
		b.awsChunked, b.chain = true, seal
	case kind == unsignedTrailer:
		b.awsChunked = true
	case kind == signedChunksTrailer:
		b.awsChunked, b.chain, b.signedTrailer = true, seal, true
	case strings.HasPrefix(kind, streamingPrefix):
		return errNotImplemented
	default:
		return errInvalidArgument
	}
	if b.awsChunked {
		b.trailing = announced(request)
	}
	return nil
}

// readLength is the last that the headers are asked: how long the body is, and whether that fits.
func (b *body) readLength(request *wire.Request, bytesMax int64, tooLong *failure) *failure {
	b.length, b.bytesMax, b.tooLong = request.Length, bytesMax, tooLong
	if request.Length >= 0 && !request.Has("content-length") {
		return errMissingLength
	}
	if b.awsChunked {
		length, err := strconv.ParseUint(request.Get("x-amz-decoded-content-length"), 10, 62)
		if err != nil {
			return errMissingLength
		}
		b.length = int64(length)
	}
	if b.length > bytesMax {
		return tooLong
	}
	return nil
}

func isHexSHA256(text string) bool {
	for at := range len(text) {
		if !wire.IsHex(text[at]) {
			return false
		}
	}
	return len(text) == 64
}

// planDocument judges the headers of a body that says what to do.
func (e *Exchange) planDocument(bytesMax int64) *failure {
	if failed := e.plan(); failed != nil {
		return failed
	}
	return e.body.readLength(&e.Request, bytesMax, errMalformedXML)
}

// expect takes the body's room, as far as it is known, and says what is done when the body has come.
func (h *Handler) expect(e *Exchange, finish func(*Handler, *Exchange) *failure) *failure {
	if !h.reserveLength(&e.body) {
		return errSlowDown
	}
	if e.body.length >= 0 {
		e.body.content = make([]byte, 0, e.body.length)
	}
	e.finish = finish
	return nil
}

// expectObject expects an object's body, which comes to where the store will have it if its length is known.
func (h *Handler) expectObject(e *Exchange) *failure {
	b := &e.body
	if !h.reserveLength(b) {
		return errSlowDown
	}
	if b.length >= 0 {
		var err error
		if b.content, err = h.store.NewBody(b.length, &b.room); err != nil {
			return errSlowDown
		}
	}
	e.finish = (*Handler).finishPut
	return nil
}

// reserveLength is false when the store is full.
func (h *Handler) reserveLength(b *body) bool {
	if b.length > 0 {
		if !h.store.Reserve(b.length) {
			return false
		}
		b.reserved = b.length
	}
	return true
}
