// CopyObject, and what it shares with UploadPartCopy: the source and its conditions.

package s3

import (
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"pausemark/go/internal/store"
	"pausemark/go/internal/wire"
)

const (
	copySourceHeader    = "x-amz-copy-source"
	copyDirectiveHeader = "x-amz-metadata-directive"
)

// copyObject makes an object that shares its bytes with the source: neither of them is ever changed.
// Each is accounted whole, because the other may go first.
func (h *Handler) copyObject(e *Exchange) *failure {
	from, failed := readSource(&e.Request)
	if failed != nil {
		return failed
	}
	if failed := e.readMetadata(); failed != nil {
		return failed
	}
	if e.object == nil && from.bucket == e.bucket && from.key == e.key {
		return errInvalidRequest
	}
	if failed := h.findPlace(e); failed != nil {
		return failed
	}
	object, failed := h.findSource(from, e)
	if failed != nil {
		return failed
	}
	copied := *object
	if e.object != nil {
		copied.ContentType, copied.Headers = e.object.ContentType, e.object.Headers
	}
	e.object = &copied // whose bytes the exchange holds as the source's
	e.finish = (*Handler).finishCopy
	return nil
}

// finishCopy puts the object as its source is, in room of its own.
func (h *Handler) finishCopy(e *Exchange) *failure {
	size := e.object.Size()
	if !h.store.Reserve(size) {
		return errSlowDown
	}
	e.body.reserved = size
	stampNow(e.object)
	return h.leavePut(e, (*Handler).answerCopy)
}

func (h *Handler) answerCopy(e *Exchange) {
	e.body.reserved = 0 // the store's now
	e.replyCopied("CopyObjectResult", e.object.ETag, e.object.Modified)
}

// readMetadata takes what the request says of the copy, where it shall not have the source's metadata.
func (e *Exchange) readMetadata() *failure {
	directive, count := e.Request.Find(copyDirectiveHeader)
	switch {
	case count > 1, count == 1 && directive != "COPY" && directive != "REPLACE":
		return errInvalidArgument
	case directive == "REPLACE":
		return e.describe()
	default:
		return e.readCondition()
	}
}

func (e *Exchange) replyCopied(root, etag string, modified time.Time) {
	var text xmlText
	text.openS3(root)
	text.time("LastModified", modified)
	text.element("ETag", etag)
	text.close(root)
	e.replyXML(http.StatusOK, text.bytes())
}

// source is where a copy comes from.
type source struct {
	bucket string
	key    string
}

// sourceConditions are the headers that judge a copy's source.
var sourceConditions = conditions{"x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match",
	"x-amz-copy-source-if-modified-since", "x-amz-copy-source-if-unmodified-since"}

// findSource finds the object that is copied, holds it, and judges the request's conditions on it.
func (h *Handler) findSource(from source, e *Exchange) (*store.Object, *failure) {
	bucket := h.store.Bucket(from.bucket)
	if bucket == nil {
		return nil, errNoSuchBucket
	}
	object := bucket.Get(from.key)
	if object == nil {
		return nil, errNoSuchKey
	}
	e.hold(object)
	if status := sourceConditions.judge(&e.Request, object); status != http.StatusOK {
		return nil, errPrecondition // also where a GET is told that nothing was modified
	}
	return object, nil
}

// readSource reads `[/]bucket/key[?versionId=null]`, percent-encoded.
func readSource(request *wire.Request) (source, *failure) {
	value, count := request.Find(copySourceHeader)
	if count != 1 {
		return source{}, errInvalidArgument
	}
	raw, version, versioned := strings.Cut(value, "?")
	path, err := url.PathUnescape(raw)
	if err != nil || !utf8.ValidString(path) {
		return source{}, errInvalidArgument
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if bucket == "" || key == "" {
		return source{}, errInvalidArgument
	}
	if versioned {
		version, named := strings.CutPrefix(version, "versionId=")
		switch {
		case !named || version == "":
			return source{}, errInvalidArgument
		case version != nullVersion:
			return source{}, errNotImplemented
		}
	}
	return source{bucket, key}, nil
}
