// Receives request bodies: what their headers say of them, and those that are plain or chunked.

package s3

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"pausemark/go/internal/sigv4"
)

// bodyPlan is how a body comes, what it must match, and then the body itself.
type bodyPlan struct {
	length        int64 // of the decoded body; -1 when nobody said
	bytesMax      int64
	tooLong       *failure // what a longer one is
	awsChunked    bool
	trailing      trailing // checksums that come in a trailer and have not yet
	md5           []byte   // nil, or 16 bytes
	checksums     checksums
	trailers      checksums
	sha256        string      // in hex; "" when nobody verifies it
	chain         *sigv4.Seal // what signed chunks continue; nil when nobody verifies them
	signedTrailer bool        // whether the chain ends with the trailers
	reserved      int64
	body          []byte
}

// growBytes is the step in which a body of unknown length reserves room.
const growBytes = 64 << 10

// planBody judges what the headers say of a body, before anybody looks for its place.
func planBody(e *exchange) (*bodyPlan, *failure) {
	plan := &bodyPlan{}
	e.planned = true
	return plan, plan.readHeaders(e.request.Header, e.seal)
}

func (p *bodyPlan) readHeaders(header http.Header, seal *sigv4.Seal) *failure {
	if values := header["Content-Md5"]; len(values) > 0 {
		sum, err := base64.StdEncoding.DecodeString(values[0])
		if err != nil || len(sum) != 16 {
			return errInvalidDigest
		}
		p.md5 = sum
	}
	if failed := p.checksums.readHeaders(header); failed != nil {
		return failed
	}
	kinds := header["X-Amz-Content-Sha256"]
	if len(kinds) == 0 {
		return nil
	}
	switch kind := kinds[0]; {
	case kind == "UNSIGNED-PAYLOAD":
	case isHexSHA256(kind):
		if seal != nil {
			p.sha256 = kind
		}
	case kind == signedChunks:
		p.awsChunked, p.chain = true, seal
	case kind == unsignedTrailer:
		p.awsChunked = true
	case kind == signedChunksTrailer:
		p.awsChunked, p.chain, p.signedTrailer = true, seal, true
	case strings.HasPrefix(kind, streamingPrefix):
		return errNotImplemented
	default:
		return errInvalidArgument
	}
	if p.awsChunked {
		p.trailing = announced(header)
	}
	return nil
}

// readLength is the last that the headers are asked: how long the body is, and whether that fits.
func (p *bodyPlan) readLength(request *http.Request, bytesMax int64, tooLong *failure) *failure {
	p.length, p.bytesMax, p.tooLong = request.ContentLength, bytesMax, tooLong
	if len(request.TransferEncoding) == 0 && request.Header["Content-Length"] == nil {
		return errMissingLength
	}
	if p.awsChunked {
		length, err := strconv.ParseUint(request.Header.Get("X-Amz-Decoded-Content-Length"), 10, 62)
		if err != nil {
			return errMissingLength
		}
		p.length = int64(length)
	}
	if p.length > bytesMax {
		return tooLong
	}
	return nil
}

// reserve takes the body's room, as far as it is known.
func (h *Handler) reserve(plan *bodyPlan) *failure {
	if plan.length > 0 && !h.store.Reserve(plan.length) {
		return errSlowDown
	}
	plan.reserved = max(plan.length, 0)
	return nil
}

func isHexSHA256(text string) bool {
	for at := range len(text) {
		b := text[at] | 0x20
		if (b < '0' || b > '9') && (b < 'a' || b > 'f') {
			return false
		}
	}
	return len(text) == 64
}

// receive reads the body to its end, also where that is clear to be in vain: the connection goes on.
func (h *Handler) receive(e *exchange, plan *bodyPlan) *failure {
	from := e.request.Body
	failed := h.readBody(from, plan)
	if failed == errCutOff || (failed != nil && failed.closing) {
		return failed
	}
	if _, err := io.Copy(io.Discard, from); err != nil {
		return errCutOff
	}
	e.received = true
	return failed
}

func (h *Handler) readBody(from io.Reader, plan *bodyPlan) *failure {
	switch {
	case plan.awsChunked:
		return plan.readAWSChunked(from)
	case plan.length >= 0:
		plan.body = make([]byte, plan.length)
		if _, err := io.ReadFull(from, plan.body); err != nil {
			return errCutOff
		}
		return nil
	default:
		return h.readUnknownLength(from, plan)
	}
}

// planDocument judges the headers of a body that says what to do.
func planDocument(e *exchange, bytesMax int64) (*bodyPlan, *failure) {
	plan, failed := planBody(e)
	if failed == nil {
		failed = plan.readLength(e.request, bytesMax, errMalformedXML)
	}
	return plan, failed
}

// readDocument receives it, and it is verified before any of it is done.
func (h *Handler) readDocument(e *exchange, plan *bodyPlan) ([]byte, *failure) {
	if failed := h.reserve(plan); failed != nil {
		return nil, failed
	}
	// What was reserved counts against the store only while the document is read.
	defer func() { h.store.Release(plan.reserved) }()
	if failed := h.receive(e, plan); failed != nil {
		return nil, failed
	}
	_, failed := plan.verify()
	return plan.body, failed
}

func (h *Handler) readUnknownLength(from io.Reader, plan *bodyPlan) *failure {
	for {
		if int64(len(plan.body)) == plan.reserved {
			if !h.store.Reserve(growBytes) {
				return errSlowDown
			}
			plan.reserved += growBytes
		}
		room := plan.reserved - int64(len(plan.body))
		if spare := int64(cap(plan.body) - len(plan.body)); spare < room {
			plan.body = append(make([]byte, 0, max(plan.reserved, 2*int64(cap(plan.body)))), plan.body...)
		}
		size := int64(len(plan.body))
		count, err := from.Read(plan.body[size : size+room])
		plan.body = plan.body[:size+int64(count)]
		if int64(len(plan.body)) > plan.bytesMax {
			return plan.tooLong
		}
		if errors.Is(err, io.EOF) {
			h.store.Release(plan.reserved - int64(len(plan.body)))
			plan.reserved = int64(len(plan.body))
			plan.body = bytes.Clone(plan.body) // exact size: what is accounted is what is held
			return nil
		}
		if err != nil {
			return errCutOff
		}
	}
}
