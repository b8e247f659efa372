// GET and HEAD of an object: conditions, one range, kept headers.

package s3

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pausemark/go/internal/store"
	"pausemark/go/internal/wire"
)

func (h *Handler) getObject(e *Exchange) *failure {
	if failed := e.readOverrides(); failed != nil {
		return failed
	}
	bucket := h.store.Bucket(e.bucket)
	if bucket == nil {
		return errNoSuchBucket
	}
	object := bucket.Get(e.key)
	if object == nil {
		return errNoSuchKey
	}
	e.hold(object)
	status := readConditions.judge(&e.Request, object)
	if status == http.StatusPreconditionFailed {
		return errPrecondition
	}
	size := object.Size()
	from, end := int64(0), size
	if text := rangeOf(&e.Request, object); status == http.StatusOK && text != "" {
		first, last, verdict := parseRange(text, size)
		switch verdict {
		case rangeUnsatisfiable:
			return errInvalidRange
		case rangeGood:
			status = http.StatusPartialContent
			from, end = first, last+1
		}
	}
	e.replyObject(status, object, from, end)
	return nil
}

// replyObject tells what the object's headers are, and its bytes from one on and before another.
func (e *Exchange) replyObject(status int, object *store.Object, from, end int64) {
	answer := e.Answer
	e.start(status)
	answer.Field("ETag", object.ETag)
	answer.Field("Last-Modified", object.LastModified)
	if status == http.StatusNotModified {
		answer.NoLength()
		return
	}
	answer.Field("Accept-Ranges", "bytes")
	metadata := 0
	for metadata < len(object.Headers) && !strings.HasPrefix(object.Headers[metadata].Name, metadataPrefix) {
		metadata++
	}
	e.tellKept(object, object.Headers[:metadata])
	if status == http.StatusOK && strings.EqualFold(e.Request.Get("x-amz-checksum-mode"), "ENABLED") {
		e.tell(object.Checksums)
	}
	e.tell(object.Headers[metadata:])
	if status == http.StatusPartialContent {
		answer.Field("Content-Range", formatRange(from, end-1, object.Size()))
	}
	answer.Object(object, from, end)
}

// rangeOf is the range that is asked for, if it is asked for this object.
func rangeOf(request *wire.Request, object *store.Object) string {
	text, count := request.Find("range")
	if count != 1 {
		return ""
	}
	if tag, count := request.Find("if-range"); count > 0 && tag != object.ETag {
		return ""
	}
	return text
}

// conditions are the names of the headers that judge an object.
type conditions struct {
	match, noneMatch, modifiedSince, unmodifiedSince string
}

var readConditions = conditions{"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"}

// judge follows RFC 9110, section 13.2.2: 200, 304 or 412.
func (c *conditions) judge(request *wire.Request, object *store.Object) int {
	modified := object.Modified.Truncate(time.Second)
	if lists := request.All(c.match); lists != nil {
		if !store.MatchesTag(lists, object.ETag) {
			return http.StatusPreconditionFailed
		}
	} else if since, ok := httpTime(request.Find(c.unmodifiedSince)); ok && modified.After(since) {
		return http.StatusPreconditionFailed
	}
	if lists := request.All(c.noneMatch); lists != nil {
		if store.MatchesTag(lists, object.ETag) {
			return http.StatusNotModified
		}
	} else if since, ok := httpTime(request.Find(c.modifiedSince)); ok && !modified.After(since) {
		return http.StatusNotModified
	}
	return http.StatusOK
}

func httpTime(value string, count int) (time.Time, bool) {
	if count != 1 {
		return time.Time{}, false
	}
	parsed, err := http.ParseTime(value)
	return parsed, err == nil
}

type rangeVerdict int

const (
	rangeMalformed rangeVerdict = iota
	rangeGood
	rangeUnsatisfiable
)

// parseRange reads `bytes=a-b`, `bytes=a-` and `bytes=-n` against a body's size. What is malformed is
// ignored, and so are several ranges.
func parseRange(text string, size int64) (first, last int64, verdict rangeVerdict) {
	const unit = "bytes="
	if len(text) < len(unit) || !strings.EqualFold(text[:len(unit)], unit) {
		return 0, 0, rangeMalformed
	}
	from, to, found := strings.Cut(text[len(unit):], "-")
	first, hasFirst := rangeNumber(from)
	last, hasLast := rangeNumber(to)
	switch {
	case !found || (from != "" && !hasFirst) || (to != "" && !hasLast) || from+to == "":
		return 0, 0, rangeMalformed
	case from == "" && last == 0:
		return 0, 0, rangeUnsatisfiable
	case from == "":
		first, last = max(size-last, 0), size-1
	case to == "":
		last = size - 1
	case last < first:
		return 0, 0, rangeMalformed
	}
	if first >= size {
		return 0, 0, rangeUnsatisfiable
	}
	return first, min(last, size-1), rangeGood
}

// rangeNumber reads digits. A number beyond 63 bits is beyond every object, one beyond 64 is none: so
// says every backend.
func rangeNumber(text string) (int64, bool) {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, false
	}
	return int64(min(number, math.MaxInt64)), true
}

func formatRange(first, last, size int64) string {
	text := append(make([]byte, 0, 48), "bytes "...)
	text = append(strconv.AppendInt(text, first, 10), '-')
	text = append(strconv.AppendInt(text, last, 10), '/')
	return string(strconv.AppendInt(text, size, 10))
}
