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

func (h *Handler) putObject(e *exchange) *failure {
	plan, failed := planBody(e)
	if failed != nil {
		return failed
	}
	object, onlyIfAbsent, failed := describedObject(e.request.Header)
	if failed != nil {
		return failed
	}
	if failed := plan.readLength(e.request, h.objectBytesMax, errTooLarge); failed != nil {
		return failed
	}
	bucket, failed := h.findPlace(e, onlyIfAbsent)
	if failed != nil {
		return failed
	}
	if failed := h.reserve(plan); failed != nil {
		return failed
	}
	failed = h.receive(e, plan)
	if failed == nil {
		failed = h.storeBody(e, bucket, object, plan, onlyIfAbsent)
	}
	if failed != nil {
		h.store.Release(plan.reserved)
	}
	return failed
}

// findPlace is the bucket of a write; onlyIfAbsent is judged again when the write is done.
func (h *Handler) findPlace(e *exchange, onlyIfAbsent bool) (*store.Bucket, *failure) {
	bucket := h.store.Bucket(e.bucket)
	if bucket == nil {
		return nil, errNoSuchBucket
	}
	if onlyIfAbsent && bucket.Get(e.key) != nil {
		return nil, errPrecondition
	}
	return bucket, nil
}

// describedObject is an object without a body: what the request says of it, and of its key.
func describedObject(header http.Header) (object *store.Object, onlyIfAbsent bool, failed *failure) {
	if header["X-Amz-Tagging"] != nil || header["If-Match"] != nil {
		return nil, false, errNotImplemented
	}
	object = &store.Object{ContentType: header.Get("Content-Type")}
	if object.ContentType == "" {
		object.ContentType = "binary/octet-stream"
	}
	var fits bool
	if object.Headers, fits = keptHeaders(header); !fits {
		return nil, false, errMetadataTooLarge
	}
	onlyIfAbsent, failed = readIfAbsent(header)
	return object, onlyIfAbsent, failed
}

// readIfAbsent knows one condition of a write: that there is nothing yet.
func readIfAbsent(header http.Header) (bool, *failure) {
	values := header["If-None-Match"]
	if len(values) > 0 && values[0] != "*" {
		return false, errNotImplemented
	}
	return len(values) > 0, nil
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
	object.Checksums = plan.kept()
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
	if failed := p.checksums.verify(p.body); failed != nil {
		return sum, failed
	}
	if p.trailing != (trailing{}) {
		return sum, errMalformedTrailer
	}
	return sum, p.trailers.verify(p.body)
}

// kept is what the object keeps of the checksums, wherever they came.
func (p *bodyPlan) kept() []store.Header {
	all := p.checksums
	for at, value := range p.trailers {
		if value != "" {
			all[at] = value
		}
	}
	return all.kept()
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

// withoutAWSChunked takes off how the body came; clients say that first or last.
func withoutAWSChunked(values []string) string {
	if len(values) == 0 {
		return ""
	}
	codings := values[0]
	if len(values) > 1 {
		codings = strings.Join(values, ",")
	}
	const coding = "aws-chunked"
	first, rest, _ := strings.Cut(codings, ",")
	if strings.EqualFold(strings.TrimSpace(first), coding) {
		return strings.TrimSpace(rest)
	}
	comma := strings.LastIndexByte(codings, ',')
	if strings.EqualFold(strings.TrimSpace(codings[comma+1:]), coding) {
		return strings.TrimSpace(codings[:comma])
	}
	return codings
}
