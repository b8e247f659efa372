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

func (h *Handler) getObject(e *exchange, bucket *store.Bucket) *failure {
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
	if text := e.request.Header["Range"]; status == http.StatusOK && len(text) == 1 {
		first, last, verdict := parseRange(text[0], size)
		switch verdict {
		case rangeUnsatisfiable:
			return errInvalidRange
		case rangeSeveral:
			return errNotImplemented
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
		e.WriteHeader(status)
		return nil
	}
	header["Accept-Ranges"] = acceptRanges
	header["Content-Type"] = []string{object.ContentType}
	e.tell(object.Headers)
	if status == http.StatusOK && e.request.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
		e.tell(object.Checksums)
	}
	if contentRange != "" {
		header["Content-Range"] = []string{contentRange}
	}
	e.replyRange(status, object, from, end)
	return nil
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
	rangeSeveral
	rangeUnsatisfiable
)

// parseRange reads `bytes=a-b`, `bytes=a-` and `bytes=-n` against a body's size.
func parseRange(text string, size int64) (first, last int64, verdict rangeVerdict) {
	spec, found := strings.CutPrefix(text, "bytes=")
	if !found {
		return 0, 0, rangeMalformed
	}
	if strings.Contains(spec, ",") {
		return 0, 0, rangeSeveral
	}
	from, to, found := strings.Cut(strings.TrimSpace(spec), "-")
	first, hasFirst := rangeNumber(from)
	last, hasLast := rangeNumber(to)
	switch {
	case !found || (from != "" && !hasFirst) || (to != "" && !hasLast) || from+to == "":
		return 0, 0, rangeMalformed
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

// rangeNumber reads digits; a number beyond 64 bits is beyond every object.
func rangeNumber(text string) (int64, bool) {
	for at := range len(text) {
		if text[at] < '0' || text[at] > '9' {
			return 0, false
		}
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		number = math.MaxInt64
	}
	return number, text != ""
}

func formatRange(first, last, size int64) string {
	text := append(make([]byte, 0, 48), "bytes "...)
	text = append(strconv.AppendInt(text, first, 10), '-')
	text = append(strconv.AppendInt(text, last, 10), '/')
	return string(strconv.AppendInt(text, size, 10))
}
