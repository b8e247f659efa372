// Multipart uploads: their beginning, their parts, sent or copied, and their abort.

package s3

import (
	"crypto/md5"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pausemark/go/internal/store"
	"pausemark/go/internal/wire"
)

const (
	partNumberMax   = 10000
	copyRangeHeader = "x-amz-copy-source-range"
)

// onUpload finds the operation on an upload, of which exchange.serves has passed these methods.
func (h *Handler) onUpload(e *Exchange) *failure {
	switch e.Request.Method {
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

func (h *Handler) beginUpload(e *Exchange) *failure {
	if failed := e.describe(); failed != nil {
		return failed
	}
	bucket := h.store.Bucket(e.bucket)
	if bucket == nil {
		return errNoSuchBucket
	}
	upload, err := bucket.BeginUpload(strings.Clone(e.key), e.object)
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

// findUpload finds the open upload that the request names, and its bucket.
func (h *Handler) findUpload(e *Exchange) *failure {
	if e.in = h.store.Bucket(e.bucket); e.in == nil {
		return errNoSuchBucket
	}
	if e.upload = e.in.Upload(e.key, e.query.get("uploadId")); e.upload == nil {
		return errNoSuchUpload
	}
	return nil
}

func (h *Handler) putPart(e *Exchange) *failure {
	number, err := strconv.ParseUint(e.query.get("partNumber"), 10, 31)
	if err != nil || number < 1 || number > partNumberMax {
		return errInvalidArgument
	}
	e.part = &store.Part{Number: int(number)}
	if e.Request.Has(copySourceHeader) {
		return h.copyPart(e)
	}
	if failed := e.plan(); failed != nil {
		return failed
	}
	if failed := refuseFeatures(&e.Request); failed != nil {
		return failed
	}
	if failed := e.body.readLength(&e.Request, h.objectBytesMax, errTooLarge); failed != nil {
		return failed
	}
	if failed := h.findUpload(e); failed != nil {
		return failed
	}
	return h.expect(e, (*Handler).finishPart)
}

func (h *Handler) finishPart(e *Exchange) (failed *failure) {
	h.settle(&e.body)
	if e.part.Sum, failed = e.body.verify(); failed != nil {
		return failed
	}
	e.part.Body, e.part.Modified = e.body.content, time.Now()
	if !e.upload.PutPart(e.part) {
		return errNoSuchUpload
	}
	e.body.reserved = 0 // the upload's now
	e.replyStored(quotedHex(e.part.Sum), e.body.kept())
	return nil
}

// copyPart copies the bytes, unlike copyObject: a part of an object must not keep all of it in memory.
func (h *Handler) copyPart(e *Exchange) *failure {
	from, failed := readSource(&e.Request)
	if failed != nil {
		return failed
	}
	if e.first, e.last, failed = readCopyRange(&e.Request); failed != nil {
		return failed
	}
	if failed := refuseFeatures(&e.Request); failed != nil {
		return failed
	}
	if failed := h.findUpload(e); failed != nil {
		return failed
	}
	if e.object, failed = h.findSource(from, e); failed != nil {
		return failed
	}
	size := e.object.Size()
	switch {
	case e.last < 0:
		e.last = size - 1
	case e.last >= size:
		return errCopyRange
	}
	e.finish = (*Handler).finishCopyPart
	return nil
}

func (h *Handler) finishCopyPart(e *Exchange) *failure {
	part, size := e.part, e.last+1-e.first
	if !h.store.Reserve(size) {
		return errSlowDown
	}
	part.Body = e.object.CopyRange(e.first, e.last+1)
	part.Sum, part.Modified = md5.Sum(part.Body), time.Now()
	if !e.upload.PutPart(part) {
		h.store.Release(size)
		return errNoSuchUpload
	}
	e.replyCopied("CopyPartResult", quotedHex(part.Sum), part.Modified)
	return nil
}

// readCopyRange reads `bytes=a-b`, both of which must be there; last is -1 where nothing is said.
func readCopyRange(request *wire.Request) (first, last int64, failed *failure) {
	value, count := request.Find(copyRangeHeader)
	if count == 0 {
		return 0, -1, nil
	}
	spec, isBytes := strings.CutPrefix(value, "bytes=")
	from, to, _ := strings.Cut(spec, "-")
	first, hasFirst := placeNumber(from)
	last, hasLast := placeNumber(to)
	if count != 1 || !isBytes || !hasFirst || !hasLast || last < first {
		return 0, 0, errInvalidArgument
	}
	return first, last, nil
}

// placeNumber reads digits; unlike in a GET's range, a number beyond 64 bits is beyond every object, too.
func placeNumber(text string) (int64, bool) {
	number, err := strconv.ParseUint(text, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return math.MaxInt64, true
	}
	return int64(min(number, math.MaxInt64)), err == nil
}

func (h *Handler) abortUpload(e *Exchange) *failure {
	if failed := h.findUpload(e); failed != nil {
		return failed
	}
	e.finish = (*Handler).finishAbort
	return nil
}

func (h *Handler) finishAbort(e *Exchange) *failure {
	if !e.upload.Abort() {
		return errNoSuchUpload
	}
	e.start(http.StatusNoContent)
	e.Answer.NoLength()
	return nil
}
