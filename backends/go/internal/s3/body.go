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
	awsChunked    bool
	trailing      trailing // checksums that come in a trailer
	md5           []byte   // nil, or 16 bytes
	checksums     checksums
	sha256        string      // in hex; "" when nobody verifies it
	chain         *sigv4.Seal // what signed chunks continue; nil when nobody verifies them
	signedTrailer bool        // whether the chain ends with the trailers
	reserved      int64
	body          []byte
}

// growBytes is the step in which a body of unknown length reserves room.
const growBytes = 64 << 10

// planBody judges the headers of a body and reserves its room, before any of it is read.
func (h *Handler) planBody(e *exchange) (*bodyPlan, *failure) {
	request := e.request
	plan := &bodyPlan{length: request.ContentLength}
	chunked := len(request.TransferEncoding) > 0
	if !chunked && request.Header["Content-Length"] == nil {
		return nil, errMissingLength
	}
	if failed := plan.readHeaders(request.Header, e.seal); failed != nil {
		return nil, failed
	}
	if plan.length > h.objectBytesMax {
		return nil, errTooLarge
	}
	if plan.length > 0 && !h.store.Reserve(plan.length) {
		return nil, errSlowDown
	}
	plan.reserved = max(plan.length, 0)
	return plan, nil
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
	switch kind := header.Get("X-Amz-Content-Sha256"); {
	case kind == "", kind == "UNSIGNED-PAYLOAD":
		return nil
	case isHexSHA256(kind):
		if seal != nil {
			p.sha256 = kind
		}
		return nil
	case kind == signedChunks:
		p.chain = seal
	case kind == unsignedTrailer, kind == signedChunksTrailer:
		p.trailing = announced(header)
		if kind == signedChunksTrailer {
			p.chain, p.signedTrailer = seal, true
		}
	case strings.HasPrefix(kind, streamingPrefix):
		return errNotImplemented
	default:
		return errInvalidArgument
	}
	p.awsChunked = true
	text := header.Get("X-Amz-Decoded-Content-Length")
	if text == "" {
		return errMissingLength
	}
	length, err := strconv.ParseUint(text, 10, 62)
	if err != nil {
		return errInvalidArgument
	}
	p.length = int64(length)
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

func (h *Handler) readBody(from io.Reader, plan *bodyPlan) *failure {
	switch {
	case plan.awsChunked:
		return plan.readAWSChunked(from)
	case plan.length >= 0:
		plan.body = make([]byte, plan.length)
		if _, err := io.ReadFull(from, plan.body); err != nil {
			return errIncompleteBody
		}
		return nil
	default:
		return h.readUnknownLength(from, plan)
	}
}

// readDocument receives a body that says what to do, and is verified before any of it is done.
func (h *Handler) readDocument(e *exchange, bytesMax int64) ([]byte, *failure) {
	plan, failed := h.planBody(e)
	if failed != nil {
		return nil, failed
	}
	// What was reserved counts against the store only while the document is read.
	defer func() { h.store.Release(plan.reserved) }()
	if plan.length > bytesMax {
		return nil, errMalformedXML
	}
	from := io.Reader(e.request.Body)
	if plan.length < 0 {
		from = io.LimitReader(from, bytesMax+1)
	}
	if failed := h.readBody(from, plan); failed != nil {
		return nil, failed
	}
	if int64(len(plan.body)) > bytesMax {
		return nil, errMalformedXML
	}
	_, failed = plan.verify()
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
		if int64(len(plan.body)) > h.objectBytesMax {
			return errTooLarge
		}
		if errors.Is(err, io.EOF) {
			h.store.Release(plan.reserved - int64(len(plan.body)))
			plan.reserved = int64(len(plan.body))
			plan.body = bytes.Clone(plan.body) // exact size: what is accounted is what is held
			return nil
		}
		if err != nil {
			return errIncompleteBody
		}
	}
}
