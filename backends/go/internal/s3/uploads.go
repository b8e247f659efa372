// Multipart uploads: their beginning, their parts, sent or copied, and their abort.

package s3

import (
	"crypto/md5"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pausemark/go/internal/store"
)

const (
	partNumberMax   = 10000
	copyRangeHeader = "X-Amz-Copy-Source-Range"
)

// onUpload finds the operation on an upload, of which exchange.serves has passed these methods.
func (h *Handler) onUpload(e *exchange) *failure {
	switch e.request.Method {
	case http.MethodPut:
		return h.putPart(e)
	case http.MethodGet:
		return h.listParts(e)
	case http.MethodPost:
		return h.completeUpload(e)
	default:
		return h.abortUpload(e)
	}
}

func (h *Handler) beginUpload(e *exchange) *failure {
	described, _, failed := describedObject(e.request.Header)
	if failed != nil {
		return failed
	}
	bucket := h.store.Bucket(e.bucket)
	if bucket == nil {
		return errNoSuchBucket
	}
	upload, err := bucket.BeginUpload(e.key, described)
	if errors.Is(err, store.ErrUploads) {
		return errSlowDown
	}
	if err != nil {
		return errNoSuchBucket
	}
	var text xmlText
	text.openS3("InitiateMultipartUploadResult")
	text.element("Bucket", e.bucket)
	text.element("Key", e.key)
	text.element("UploadId", upload.ID)
	text.close("InitiateMultipartUploadResult")
	e.replyXML(http.StatusOK, text.bytes())
	return nil
}

// findUpload is the open upload that the request names, and its bucket.
func (h *Handler) findUpload(e *exchange) (*store.Upload, *store.Bucket, *failure) {
	bucket := h.store.Bucket(e.bucket)
	if bucket == nil {
		return nil, nil, errNoSuchBucket
	}
	if upload := bucket.Upload(e.key, e.query.get("uploadId")); upload != nil {
		return upload, bucket, nil
	}
	return nil, nil, errNoSuchUpload
}

func (h *Handler) putPart(e *exchange) *failure {
	number, err := strconv.ParseUint(e.query.get("partNumber"), 10, 31)
	if err != nil || number < 1 || number > partNumberMax {
		return errInvalidArgument
	}
	part := &store.Part{Number: int(number)}
	if e.request.Header[copySourceHeader] != nil {
		return h.copyPart(e, part)
	}
	plan, failed := planBody(e)
	if failed != nil {
		return failed
	}
	if failed := plan.readLength(e.request, h.objectBytesMax, errTooLarge); failed != nil {
		return failed
	}
	upload, _, failed := h.findUpload(e)
	if failed != nil {
		return failed
	}
	if failed := h.reserve(plan); failed != nil {
		return failed
	}
	if failed := h.receivePart(e, upload, part, plan); failed != nil {
		h.store.Release(plan.reserved)
		return failed
	}
	e.replyStored(quotedHex(part.Sum), plan.kept())
	return nil
}

// receivePart reads and verifies a part; the caller gives room back on a failure.
func (h *Handler) receivePart(e *exchange, upload *store.Upload, part *store.Part,
	plan *bodyPlan) (failed *failure) {
	if failed = h.receive(e, plan); failed != nil {
		return failed
	}
	if part.Sum, failed = plan.verify(); failed != nil {
		return failed
	}
	part.Body, part.Modified = plan.body, time.Now()
	if !upload.PutPart(part) {
		return errNoSuchUpload
	}
	return nil
}

// copyPart copies the bytes, unlike copyObject: a part of an object must not keep all of it in memory.
func (h *Handler) copyPart(e *exchange, part *store.Part) *failure {
	header := e.request.Header
	from, failed := readSource(header[copySourceHeader])
	if failed != nil {
		return failed
	}
	first, last, failed := readCopyRange(header[copyRangeHeader])
	if failed != nil {
		return failed
	}
	upload, _, failed := h.findUpload(e)
	if failed != nil {
		return failed
	}
	object, failed := h.findSource(from, header)
	if failed != nil {
		return failed
	}
	size := object.Size()
	switch {
	case last < 0:
		last = size - 1
	case last >= size:
		return errCopyRange
	}
	if !h.store.Reserve(last + 1 - first) {
		return errSlowDown
	}
	part.Body = object.CopyRange(first, last+1)
	part.Sum, part.Modified = md5.Sum(part.Body), time.Now()
	if !upload.PutPart(part) {
		h.store.Release(int64(len(part.Body)))
		return errNoSuchUpload
	}
	e.replyCopied("CopyPartResult", quotedHex(part.Sum), part.Modified)
	return nil
}

// readCopyRange reads `bytes=a-b`, both of which must be there; last is -1 where nothing is said.
func readCopyRange(values []string) (first, last int64, failed *failure) {
	if values == nil {
		return 0, -1, nil
	}
	spec, isBytes := strings.CutPrefix(values[0], "bytes=")
	from, to, _ := strings.Cut(spec, "-")
	first, hasFirst := rangeNumber(from)
	last, hasLast := rangeNumber(to)
	if len(values) != 1 || !isBytes || !hasFirst || !hasLast || last < first {
		return 0, 0, errInvalidArgument
	}
	return first, last, nil
}

func (h *Handler) abortUpload(e *exchange) *failure {
	upload, _, failed := h.findUpload(e)
	if failed != nil {
		return failed
	}
	if !upload.Abort() {
		return errNoSuchUpload
	}
	e.begin(http.StatusNoContent)
	return nil
}
