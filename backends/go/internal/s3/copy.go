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
func (h *Handler) copyObject(e *exchange, bucket *store.Bucket) *failure {
	onlyIfAbsent, failed := putConditions(e, bucket)
	if failed != nil {
		return failed
	}
	from, failed := h.findSource(e.request.Header)
	if failed != nil {
		return failed
	}
	copied := *from.object
	switch directive, there := e.request.Header[copyDirectiveHeader]; {
	case !there || (len(directive) == 1 && directive[0] == "COPY"):
		if from.bucket == e.bucket && from.key == e.key {
			return errSelfCopy
		}
	case len(directive) == 1 && directive[0] == "REPLACE":
		described, failed := describedObject(e.request.Header)
		if failed != nil {
			return failed
		}
		copied.ContentType, copied.Headers = described.ContentType, described.Headers
	default:
		return errInvalidArgument
	}
	size := copied.Size()
	if !h.store.Reserve(size) {
		return errSlowDown
	}
	stampNow(&copied)
	if failed := h.commitObject(e, bucket, &copied, onlyIfAbsent); failed != nil {
		h.store.Release(size)
		return failed
	}
	e.replyCopied("CopyObjectResult", copied.ETag, copied.Modified)
	return nil
}

func (e *exchange) replyCopied(root, etag string, modified time.Time) {
	var text xmlText
	text.openS3(root)
	text.element("LastModified", modified.UTC().Format(isoTime))
	text.element("ETag", etag)
	text.close(root)
	e.replyXML(http.StatusOK, text.bytes())
}

// source is where a copy comes from.
type source struct {
	bucket string
	key    string
	object *store.Object
}

// findSource finds the object that the request names and judges the request's conditions on it.
func (h *Handler) findSource(header http.Header) (source, *failure) {
	from, failed := readSource(header[copySourceHeader])
	if failed != nil {
		return from, failed
	}
	bucket := h.store.Bucket(from.bucket)
	if bucket == nil {
		return from, errNoSuchBucket
	}
	if from.object = bucket.Get(from.key); from.object == nil {
		return from, errNoSuchKey
	}
	conditions := http.Header{}
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since",
		"If-Unmodified-Since"} {
		if values, there := header[copyConditionPrefix+name]; there {
			conditions[name] = values
		}
	}
	if status, failed := judgeConditions(conditions, from.object); failed != nil || status != http.StatusOK {
		return from, errPrecondition // also where a GET is told that nothing was modified
	}
	return from, nil
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
	return source{bucket: bucket, key: key}, nil
}
