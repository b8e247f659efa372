// PUT and DELETE of an object.

package s3

import (
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"sort"
	"strings"
	"time"

	"pausemark/go/internal/store"
)

const (
	metadataBytesMax = 2 << 10
	metadataPrefix   = "X-Amz-Meta-" // as net/http spells it on the way in
)

func (h *Handler) putObject(e *exchange, bucket *store.Bucket) *failure {
	onlyIfAbsent, failed := putConditions(e, bucket)
	if failed != nil {
		return failed
	}
	object, failed := describedObject(e.request.Header)
	if failed != nil {
		return failed
	}
	plan, failed := h.planBody(e)
	if failed != nil {
		return failed
	}
	if failed := h.readBody(e.request.Body, plan); failed != nil {
		h.store.Release(plan.reserved)
		return failed
	}
	failed = h.storeBody(e, bucket, object, plan, onlyIfAbsent)
	if failed != nil {
		h.store.Release(plan.reserved)
	}
	return failed
}

// putConditions judges what a write asks of its key; onlyIfAbsent is judged again when it is done.
func putConditions(e *exchange, bucket *store.Bucket) (onlyIfAbsent bool, failed *failure) {
	header := e.request.Header
	onlyIfAbsent = header.Get("If-None-Match") == "*"
	switch {
	case header["If-Match"] != nil, header["If-None-Match"] != nil && !onlyIfAbsent:
		return false, errNotImplemented
	case onlyIfAbsent && bucket.Get(e.key) != nil:
		return false, errPrecondition
	}
	return onlyIfAbsent, nil
}

// describedObject is an object without a body: what the request says of it.
func describedObject(header http.Header) (*store.Object, *failure) {
	object := &store.Object{ContentType: header.Get("Content-Type")}
	if object.ContentType == "" {
		object.ContentType = "binary/octet-stream"
	}
	var fits bool
	if object.Headers, fits = keptHeaders(header); !fits {
		return nil, errMetadataTooLarge
	}
	return object, nil
}

func quotedHex(sum [md5.Size]byte) string {
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func stampNow(object *store.Object) {
	object.Modified = time.Now()
	object.LastModified = object.Modified.UTC().Format(http.TimeFormat)
}

// storeBody verifies the digests and puts the object; the caller gives room back on a failure.
func (h *Handler) storeBody(e *exchange, bucket *store.Bucket, object *store.Object, plan *bodyPlan,
	onlyIfAbsent bool) *failure {
	sum, failed := plan.verify()
	if failed != nil {
		return failed
	}
	object.Body = plan.body
	object.ETag = quotedHex(sum)
	object.Checksums = plan.checksums.kept()
	stampNow(object)
	if failed := h.commitObject(e, bucket, object, onlyIfAbsent); failed != nil {
		return failed
	}
	e.replyStored(object.ETag, object.Checksums)
	return nil
}

func (e *exchange) replyStored(etag string, checksums []store.Header) {
	e.Header()["ETag"] = []string{etag}
	e.tell(checksums)
	e.reply(http.StatusOK, nil)
}

// verify compares the body with every digest that came with it and returns its MD5.
func (p *bodyPlan) verify() ([md5.Size]byte, *failure) {
	sum := md5.Sum(p.body)
	if p.sha256 != "" && !hasSHA256(p.body, p.sha256) {
		return sum, errPayloadMismatch
	}
	if p.md5 != nil && [md5.Size]byte(p.md5) != sum {
		return sum, errBadDigest
	}
	return sum, p.checksums.verify(p.body)
}

// keptHeaders picks what a GET will repeat; false when the metadata is too large.
func keptHeaders(header http.Header) ([]store.Header, bool) {
	var kept []store.Header
	if value := header.Get("Cache-Control"); value != "" {
		kept = append(kept, store.Header{Name: "Cache-Control", Value: value})
	}
	if value := withoutAWSChunked(header["Content-Encoding"]); value != "" {
		kept = append(kept, store.Header{Name: "Content-Encoding", Value: value})
	}
	first, size := len(kept), 0
	for name, values := range header {
		if suffix, found := strings.CutPrefix(name, metadataPrefix); found {
			value := strings.Join(values, ",")
			size += len(suffix) + len(value)
			kept = append(kept, store.Header{Name: strings.ToLower(name), Value: value})
		}
	}
	metadata := kept[first:] // a map has no order of its own
	sort.Slice(metadata, func(i, j int) bool { return metadata[i].Name < metadata[j].Name })
	return kept, size <= metadataBytesMax
}

func withoutAWSChunked(values []string) string {
	if len(values) == 0 {
		return ""
	}
	var codings []string
	for coding := range strings.SplitSeq(strings.Join(values, ","), ",") {
		coding = strings.TrimSpace(coding)
		if coding != "" && !strings.EqualFold(coding, "aws-chunked") {
			codings = append(codings, coding)
		}
	}
	return strings.Join(codings, ",")
}
