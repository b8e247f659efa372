// Listings of an upload's parts and of a bucket's open uploads.

package s3

import (
	"net/http"
	"strconv"

	"pausemark/go/internal/store"
)

func (h *Handler) listParts(e *Exchange) *failure {
	most, failed := e.query.number("max-parts", listKeysMax)
	if failed != nil {
		return failed
	}
	most = min(most, listKeysMax)
	marker, failed := e.query.number("part-number-marker", 0)
	if failed != nil {
		return failed
	}
	if failed := h.findUpload(e); failed != nil {
		return failed
	}
	parts := e.upload.Parts()
	for len(parts) > 0 && parts[0].Number <= marker {
		parts = parts[1:]
	}
	truncated := len(parts) > most && most > 0
	parts = parts[:min(len(parts), most)]
	var text xmlText
	text.openS3("ListPartsResult")
	text.element("Bucket", e.bucket)
	text.element("Key", e.key)
	text.element("UploadId", e.upload.ID)
	text.keeper()
	text.element("PartNumberMarker", strconv.Itoa(marker))
	if truncated {
		text.element("NextPartNumberMarker", strconv.Itoa(parts[most-1].Number))
	}
	text.element("MaxParts", strconv.Itoa(most))
	text.element("IsTruncated", strconv.FormatBool(truncated))
	for _, part := range parts {
		text.part(part)
	}
	text.close("ListPartsResult")
	e.replyXML(http.StatusOK, text.bytes())
	return nil
}

func (x *xmlText) part(part *store.Part) {
	x.start("Part")
	x.element("PartNumber", strconv.Itoa(part.Number))
	x.time("LastModified", part.Modified)
	x.element("ETag", quotedHex(part.Sum))
	x.element("Size", strconv.Itoa(len(part.Body)))
	x.close("Part")
}

// keeper is who began an upload, who will own the object, and how it is stored.
func (x *xmlText) keeper() {
	x.start("Initiator")
	x.element("ID", ownerID)
	x.element("DisplayName", ownerID)
	x.close("Initiator")
	x.owner()
	x.element("StorageClass", "STANDARD")
}

func (h *Handler) listUploads(e *Exchange) *failure {
	request, failed := readPageRequest(e.query, "max-uploads")
	if failed != nil {
		return failed
	}
	bucket := h.store.Bucket(e.bucket)
	if bucket == nil {
		return errNoSuchBucket
	}
	request.owner = true
	request.After = e.query.get("key-marker")
	marker := e.query.get("upload-id-marker")
	page := bucket.ListUploads(request.Query, marker)
	e.replyXML(http.StatusOK, request.writeUploads(bucket.Name, marker, page))
	return nil
}

func (r *listRequest) writeUploads(bucket, idMarker string, page store.UploadPage) []byte {
	var text xmlText
	text.openS3("ListMultipartUploadsResult")
	text.element("Bucket", bucket)
	text.element("KeyMarker", r.text(r.After))
	text.element("UploadIdMarker", idMarker)
	if page.Truncated {
		text.element("NextKeyMarker", r.text(page.LastName))
		text.element("NextUploadIdMarker", page.LastID)
	}
	text.element("Prefix", r.text(r.Prefix))
	text.element("MaxUploads", strconv.Itoa(r.Max))
	r.writeShape(&text, page.Truncated)
	for _, upload := range page.Uploads {
		text.start("Upload")
		text.element("Key", r.text(upload.Key))
		text.element("UploadId", upload.ID)
		text.keeper()
		text.time("Initiated", upload.Initiated)
		text.close("Upload")
	}
	for _, prefix := range page.Prefixes {
		r.writePrefix(&text, prefix)
	}
	text.close("ListMultipartUploadsResult")
	return text.bytes()
}
