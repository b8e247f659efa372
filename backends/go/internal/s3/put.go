// PUT and DELETE of an object.

package s3

import (
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"pausemark/go/internal/store"
	"pausemark/go/internal/wire"
)

const (
	metadataBytesMax = 2 << 10
	metadataPrefix   = "x-amz-meta-"
)

func (h *Handler) putObject(e *Exchange) *failure {
	if failed := e.plan(); failed != nil {
		return failed
	}
	if failed := e.describe(); failed != nil {
		return failed
	}
	if failed := e.body.readLength(&e.Request, h.objectBytesMax, errTooLarge); failed != nil {
		return failed
	}
	if failed := h.findPlace(e); failed != nil {
		return failed
	}
	return h.expectObject(e)
}

// findPlace finds the bucket of a write; the condition is judged again when the write is done.
func (h *Handler) findPlace(e *Exchange) *failure {
	e.in = h.store.Bucket(e.bucket)
	if e.in == nil {
		return errNoSuchBucket
	}
	return e.judgeCondition()
}

// judgeCondition judges a write's condition before its body is asked for.
func (e *Exchange) judgeCondition() *failure {
	return writeFailure(e.in.Judge(e.key, &e.condition))
}

// describe makes an object without a body: what the request says of it, and of its key.
func (e *Exchange) describe() *failure {
	if failed := e.readCondition(); failed != nil {
		return failed
	}
	e.object = &store.Object{ContentType: "binary/octet-stream"}
	if value := e.Request.Get("content-type"); value != "" {
		e.object.ContentType = strings.Clone(value)
	}
	var fits bool
	if e.object.Headers, fits = keptHeaders(&e.Request); !fits {
		return errMetadataTooLarge
	}
	return nil
}

// readCondition reads what a write asks of the object that is there; what it asks for and is not here is
// refused.
func (e *Exchange) readCondition() *failure {
	e.condition = store.Condition{Match: e.Request.All("if-match"), NoneMatch: e.Request.All("if-none-match")}
	return refuseFeatures(&e.Request)
}

// featurePrefixes begin the headers of features that this subset has not.
var featurePrefixes = [...]string{"x-amz-tagging", "x-amz-server-side-encryption", "x-amz-object-lock-"}

// refuseFeatures refuses a write that asks for what is not here.
func refuseFeatures(request *wire.Request) *failure {
	for at := range request.Fields {
		for _, prefix := range featurePrefixes {
			if request.Fields[at].Begins(prefix) {
				return errNotImplemented
			}
		}
	}
	return nil
}

func quotedHex(sum [md5.Size]byte) string {
	var text [2*md5.Size + 2]byte
	text[0], text[len(text)-1] = '"', '"'
	hex.Encode(text[1:], sum[:])
	return string(text[:])
}

func stampNow(object *store.Object) {
	object.Modified = time.Now()
	object.LastModified = object.Modified.UTC().Format(http.TimeFormat)
}

func (h *Handler) finishPut(e *Exchange) *failure {
	h.settle(&e.body)
	sum, failed := e.body.verify()
	if failed != nil {
		return failed
	}
	object := e.object
	object.Body = e.body.content
	object.ETag = quotedHex(sum)
	object.Checksums = e.body.kept()
	stampNow(object)
	return h.leavePut(e, (*Handler).answerPut)
}

func (h *Handler) answerPut(e *Exchange) {
	e.body.reserved = 0 // the store's now
	e.replyStored(e.object.ETag, e.object.Checksums)
}

func (e *Exchange) replyStored(etag string, checksums []store.Header) {
	e.start(http.StatusOK)
	e.Answer.Field("ETag", etag)
	e.tell(checksums)
	e.Answer.Empty()
}

// verify compares the content with every digest that came with it and returns its MD5.
func (b *body) verify() ([md5.Size]byte, *failure) {
	sum := b.sum()
	if b.sha256 != "" && !hasSHA256(b.content, b.sha256) {
		return sum, errPayloadMismatch
	}
	if b.hasMD5 && b.md5 != sum {
		return sum, errBadDigest
	}
	if failed := b.checksums.verify(b.content); failed != nil {
		return sum, failed
	}
	if b.trailing != (trailing{}) {
		return sum, errMalformedTrailer
	}
	return sum, b.trailers.verify(b.content)
}

// kept is what the object keeps of the checksums, wherever they came.
func (b *body) kept() []store.Header {
	all := b.checksums
	for at, value := range b.trailers {
		if value != "" {
			all[at] = value
		}
	}
	return all.kept()
}

// keptHeaders picks what a GET will repeat; false when the metadata is too large.
func keptHeaders(request *wire.Request) ([]store.Header, bool) {
	var kept []store.Header
	for at := range keptNames {
		one := &keptNames[at]
		value := request.Get(one.sent)
		if one.told == "Content-Encoding" {
			value = withoutAWSChunked(request.Joined(one.sent))
		}
		if value != "" {
			kept = append(kept, store.Header{Name: one.told, Value: strings.Clone(value)})
		}
	}
	first, size := len(kept), 0
	for at := range request.Fields {
		field := &request.Fields[at]
		if !field.Begins(metadataPrefix) {
			continue
		}
		size += len(field.Name) - len(metadataPrefix) + len(field.Value)
		kept = keepMetadata(kept, first, strings.ToLower(field.Name), field.Value)
	}
	return kept, size <= metadataBytesMax
}

// keepMetadata adds a value to those of its name, or a new name.
func keepMetadata(kept []store.Header, first int, name, value string) []store.Header {
	for at := first; at < len(kept); at++ {
		if kept[at].Name == name {
			kept[at].Value += "," + value
			return kept
		}
	}
	return append(kept, store.Header{Name: strings.Clone(name), Value: strings.Clone(value)})
}

// withoutAWSChunked takes off how the body came; clients say that first or last, or twice.
func withoutAWSChunked(codings string) string {
	const coding = "aws-chunked"
	for {
		first, rest, _ := strings.Cut(codings, ",")
		comma := strings.LastIndexByte(codings, ',')
		switch {
		case strings.EqualFold(strings.TrimSpace(first), coding):
			codings = strings.TrimSpace(rest)
		case comma >= 0 && strings.EqualFold(strings.TrimSpace(codings[comma+1:]), coding):
			codings = strings.TrimSpace(codings[:comma])
		default:
			return codings
		}
	}
}
