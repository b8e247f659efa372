// DeleteObjects: up to a thousand keys in one XML document.

package s3

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strings"
)

// deleteBytesMax holds 1000 keys of 1024 bytes, escaped, and their tags.
const deleteBytesMax = 8 << 20

type deleteRequest struct {
	XMLName xml.Name       `xml:"Delete"`
	Quiet   string         `xml:"Quiet"`
	Objects []deleteObject `xml:"Object"`
}

type deleteObject struct {
	Key       *string `xml:"Key"`
	VersionID *string `xml:"VersionId"`
	// Conditions, which are not here.
	ETag             *string `xml:"ETag"`
	LastModifiedTime *string `xml:"LastModifiedTime"`
	Size             *string `xml:"Size"`
}

// asksForMore is true of another version than the only one, and of conditions.
func (o deleteObject) asksForMore() bool {
	otherVersion := o.VersionID != nil && *o.VersionID != nullVersion
	return otherVersion || o.ETag != nil || o.LastModifiedTime != nil || o.Size != nil
}

func (h *Handler) deleteMany(e *Exchange) *failure {
	if failed := e.planDocument(deleteBytesMax); failed != nil {
		return failed
	}
	if failed := h.findPlace(e); failed != nil {
		return failed
	}
	return h.expect(e, (*Handler).finishDeleteMany)
}

func (h *Handler) finishDeleteMany(e *Exchange) *failure {
	if _, failed := e.body.verify(); failed != nil {
		return failed
	}
	request, failed := parseDelete(e.body.content)
	if failed != nil {
		return failed
	}
	var text xmlText
	text.openS3("DeleteResult")
	for at, failed := range h.commitDeletes(e, request.Objects) {
		if failed == nil && isTrue(request.Quiet) {
			continue
		}
		writeDeleted(&text, request.Objects[at], failed)
	}
	text.close("DeleteResult")
	e.replyXML(http.StatusOK, text.bytes())
	return nil
}

func writeDeleted(text *xmlText, object deleteObject, failed *failure) {
	outcome := "Deleted"
	if failed != nil {
		outcome = "Error"
	}
	text.start(outcome)
	text.element("Key", *object.Key)
	if object.VersionID != nil {
		text.element("VersionId", nullVersion)
	}
	if failed != nil {
		text.element("Code", failed.code)
		text.element("Message", failed.message)
	}
	text.close(outcome)
}

// parseDocument reads one document that nothing follows.
func parseDocument(body []byte, into any) *failure {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	if decoder.Decode(into) != nil || len(bytes.TrimSpace(body[decoder.InputOffset():])) > 0 {
		return errMalformedXML
	}
	return nil
}

func parseDelete(body []byte) (*deleteRequest, *failure) {
	request := &deleteRequest{}
	if failed := parseDocument(body, request); failed != nil {
		return nil, failed
	}
	if len(request.Objects) == 0 || len(request.Objects) > listKeysMax {
		return nil, errMalformedXML
	}
	leftOut := false
	for _, object := range request.Objects {
		if object.Key == nil || *object.Key == "" {
			return nil, errMalformedXML
		}
		leftOut = leftOut || object.asksForMore()
	}
	if leftOut {
		return nil, errNotImplemented
	}
	return request, nil
}

// isTrue reads XML's booleans.
func isTrue(text string) bool {
	return strings.EqualFold(strings.TrimSpace(text), "true") || strings.TrimSpace(text) == "1"
}
