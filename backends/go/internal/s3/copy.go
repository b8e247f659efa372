// CopyObject, and what it shares with UploadPartCopy: the source and its conditions.

package s3

import (
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"pausemark/go/internal/store"
)

// Headers of a copy, as net/http spells them on the way in.
const (
	copySourceHeader    = "X-Amz-Copy-Source"
	copyConditionPrefix = "X-Amz-Copy-Source-"
	copyDirectiveHeader = "X-Amz-Metadata-Directive"
)

// copyObject makes an object that shares its bytes with the source: neither of them is ever changed.
// Each is accounted whole, because the other may go first.
func (h *Handler) copyObject(e *exchange) *failure {
	header := e.request.Header
	from, failed := readSource(header[copySourceHeader])
	if failed != nil {
		return failed
	}
	replaced, onlyIfAbsent, failed := replacedMetadata(header)
	if failed != nil {
		return failed
	}
	if replaced == nil && from.bucket == e.bucket && from.key == e.key {
		return errInvalidRequest
	}
	bucket, failed := h.findPlace(e, onlyIfAbsent)
	if failed != nil {
		return failed
	}
	object, failed := h.findSource(from, header)
	if failed != nil {
		return failed
	}
	copied := *object
	if replaced != nil {
		copied.ContentType, copied.Headers = replaced.ContentType, replaced.Headers
	}
	return h.storeCopy(e, bucket, &copied, onlyIfAbsent)
}

// storeCopy puts the object as its source is, in room of its own.
func (h *Handler) storeCopy(e *exchange, bucket *store.Bucket, copied *store.Object,
	onlyIfAbsent bool) *failure {
	size := copied.Size()
	if !h.store.Reserve(size) {
		return errSlowDown
	}
	stampNow(copied)
	if failed := h.commitObject(e, bucket, copied, onlyIfAbsent); failed != nil {
		h.store.Release(size)
		return failed
	}
	e.replyCopied("CopyObjectResult", copied.ETag, copied.Modified)
	return nil
}

// replacedMetadata is what the request says of the copy, nil where it has the source's metadata, and what
// it says of the key.
func replacedMetadata(header http.Header) (replaced *store.Object, onlyIfAbsent bool, failed *failure) {
	if header["X-Amz-Tagging"] != nil || header["If-Match"] != nil {
		return nil, false, errNotImplemented
	}
	directive, there := header[copyDirectiveHeader]
	switch {
	case !there || (len(directive) == 1 && directive[0] == "COPY"):
		onlyIfAbsent, failed = readIfAbsent(header)
		return nil, onlyIfAbsent, failed
	case len(directive) == 1 && directive[0] == "REPLACE":
		return describedObject(header)
	default:
		return nil, false, errInvalidArgument
	}
}

func (e *exchange) replyCopied(root, etag string, modified time.Time) {
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

// findSource finds the object that is copied and judges the request's conditions on it.
func (h *Handler) findSource(from source, header http.Header) (*store.Object, *failure) {
	bucket := h.store.Bucket(from.bucket)
	if bucket == nil {
		return nil, errNoSuchBucket
	}
	object := bucket.Get(from.key)
	if object == nil {
		return nil, errNoSuchKey
	}
	conditions := http.Header{}
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since",
		"If-Unmodified-Since"} {
		if values, there := header[copyConditionPrefix+name]; there {
			conditions[name] = values
		}
	}
	if status, failed := judgeConditions(conditions, object); failed != nil || status != http.StatusOK {
		return nil, errPrecondition // also where a GET is told that nothing was modified
	}
	return object, nil
}

// readSource reads `[/]bucket/key[?versionId=null]`, percent-encoded.
func readSource(values []string) (source, *failure) {
	if len(values) != 1 {
		return source{}, errInvalidArgument
	}
	raw, version, versioned := strings.Cut(values[0], "?")
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
