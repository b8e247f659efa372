// CompleteMultipartUpload: the parts that it names become an object, without a copy of their bytes.

package s3

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"pausemark/go/internal/store"
)

const (
	// completeBytesMax holds 10000 parts with an ETag, every checksum that S3 knows, and their tags.
	completeBytesMax = 8 << 20
	// partBytesMin is the least size of a part but the last.
	partBytesMin = 5 << 20
)

type completeRequest struct {
	XMLName xml.Name        `xml:"CompleteMultipartUpload"`
	Parts   []completedPart `xml:"Part"`
}

type completedPart struct {
	Text   string  `xml:"PartNumber"` // encoding/xml would take nothing for 0
	ETag   *string `xml:"ETag"`
	Number uint64  `xml:"-"`
}

func (h *Handler) completeUpload(e *Exchange) *failure {
	if failed := e.readCondition(); failed != nil {
		return failed
	}
	if failed := e.planDocument(completeBytesMax); failed != nil {
		return failed
	}
	if failed := h.findUpload(e); failed != nil {
		return failed
	}
	if failed := e.judgeCondition(); failed != nil {
		return failed
	}
	return h.expect(e, (*Handler).finishUpload)
}

func (h *Handler) finishUpload(e *Exchange) *failure {
	if _, failed := e.body.verify(); failed != nil {
		return failed
	}
	named, failed := parseCompletion(e.body.content)
	if failed != nil {
		return failed
	}
	open := e.upload.Complete(func(parts map[int]*store.Part) (kept int64, done bool) {
		if e.object, failed = h.assemble(e.upload, named, parts); failed == nil {
			if e.write, failed = h.putting(e); failed == nil {
				failed = writeFailure(h.commit(e))
			}
		}
		if failed != nil {
			return 0, false
		}
		return e.object.Size(), true
	})
	switch {
	case !open:
		return errNoSuchUpload
	case failed != nil:
		return failed
	}
	e.replyCompleted(e.object.ETag)
	return nil
}

func (e *Exchange) replyCompleted(etag string) {
	var text xmlText
	text.openS3("CompleteMultipartUploadResult")
	text.element("Location", encodeURL("/"+e.bucket+"/"+e.key))
	text.element("Bucket", e.bucket)
	text.element("Key", e.key)
	text.element("ETag", etag)
	text.close("CompleteMultipartUploadResult")
	e.replyXML(http.StatusOK, text.bytes())
}

func parseCompletion(body []byte) ([]completedPart, *failure) {
	request := &completeRequest{}
	if failed := parseDocument(body, request); failed != nil {
		return nil, failed
	}
	if len(request.Parts) == 0 || len(request.Parts) > partNumberMax {
		return nil, errMalformedXML
	}
	for at := range request.Parts {
		part := &request.Parts[at]
		var err error
		part.Number, err = strconv.ParseUint(strings.TrimSpace(part.Text), 10, 64)
		if err != nil || part.ETag == nil {
			return nil, errMalformedXML
		}
	}
	for at := 1; at < len(request.Parts); at++ {
		if request.Parts[at].Number <= request.Parts[at-1].Number {
			return nil, errPartOrder
		}
	}
	return request.Parts, nil
}

// assemble makes the object of the named parts, which become its slices.
func (h *Handler) assemble(upload *store.Upload, named []completedPart,
	parts map[int]*store.Part) (*store.Object, *failure) {
	bodies := make([][]byte, 0, len(named))
	sums := md5.New()
	for _, one := range named {
		part := parts[int(min(one.Number, partNumberMax+1))]
		if part == nil || strings.Trim(strings.TrimSpace(*one.ETag), `"`) != hex.EncodeToString(part.Sum[:]) {
			return nil, errInvalidPart
		}
		bodies = append(bodies, part.Body)
		sums.Write(part.Sum[:])
	}
	for _, body := range bodies[:len(bodies)-1] {
		if len(body) < partBytesMin {
			return nil, errPartTooSmall
		}
	}
	object := *upload.Described
	object.Body, object.Rest = bodies[0], bodies[1:]
	if object.Size() > h.objectBytesMax {
		return nil, errTooLarge
	}
	object.ETag = `"` + hex.EncodeToString(sums.Sum(nil)) + "-" + strconv.Itoa(len(bodies)) + `"`
	stampNow(&object)
	return &object, nil
}
