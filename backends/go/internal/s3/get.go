// GET and HEAD of an object: conditions, one range, kept headers.

package s3

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pausemark/go/internal/store"
)

var acceptRanges = []string{"bytes"}

func (h *Handler) getObject(e *exchange) *failure {
	bucket := h.store.Bucket(e.bucket)
	if bucket == nil {
		return errNoSuchBucket
	}
	object := bucket.Get(e.key)
	if object == nil {
		return errNoSuchKey
	}
	status, failed := judgeConditions(e.request.Header, object)
	if failed != nil {
		return failed
	}
	size := object.Size()
	from, end := int64(0), size
	contentRange := ""
	if text := rangeOf(e.request.Header, object); status == http.StatusOK && text != "" {
		first, last, verdict := parseRange(text, size)
		switch verdict {
		case rangeUnsatisfiable:
			return errInvalidRange
		case rangeGood:
			status = http.StatusPartialContent
			contentRange = formatRange(first, last, size)
			from, end = first, last+1
		}
	}
	header := e.Header()
	header["ETag"] = []string{object.ETag}
	header["Last-Modified"] = []string{object.LastModified}
	if status == http.StatusNotModified {
		e.begin(status)
		return nil
	}
	header["Accept-Ranges"] = acceptRanges
	header["Content-Type"] = []string{object.ContentType}
	e.tell(object.Headers)
	if status == http.StatusOK && strings.EqualFold(e.request.Header.Get("X-Amz-Checksum-Mode"), "ENABLED") {
		e.tell(object.Checksums)
	}
	if contentRange != "" {
		header["Content-Range"] = []string{contentRange}
	}
	e.replyRange(status, object, from, end)
	return nil
}

// rangeOf is the range that is asked for, if it is asked for this object.
func rangeOf(header http.Header, object *store.Object) string {
	text := header["Range"]
	if len(text) != 1 {
		return ""
	}
	if tags, there := header["If-Range"]; there && tags[0] != object.ETag {
		return ""
	}
	return text[0]
}

// judgeConditions follows RFC 9110, section 13.2.2.
func judgeConditions(header http.Header, object *store.Object) (int, *failure) {
	modified := object.Modified.Truncate(time.Second)
	if tags, there := header["If-Match"]; there {
		if !matchesTag(tags, object.ETag) {
			return 0, errPrecondition
		}
	} else if since, ok := httpTime(header["If-Unmodified-Since"]); ok && modified.After(since) {
		return 0, errPrecondition
	}
	if tags, there := header["If-None-Match"]; there {
		if matchesTag(tags, object.ETag) {
			return http.StatusNotModified, nil
		}
	} else if since, ok := httpTime(header["If-Modified-Since"]); ok && !modified.After(since) {
		return http.StatusNotModified, nil
	}
	return http.StatusOK, nil
}

// matchesTag accepts tags without quotes too, as S3 does.
func matchesTag(lists []string, etag string) bool {
	bare := strings.Trim(etag, `"`)
	for _, list := range lists {
		for tag := range strings.SplitSeq(list, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == "*" || strings.Trim(tag, `"`) == bare {
				return true
			}
		}
	}
	return false
}

func httpTime(values []string) (time.Time, bool) {
	if len(values) != 1 {
		return time.Time{}, false
	}
	parsed, err := http.ParseTime(values[0])
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
