// The stub of profile versions: a bucket's objects as the only versions they ever had.

package s3

import (
	"net/http"
	"strconv"

	"pausemark/go/internal/store"
)

// nullVersion is what S3 calls the version of an object that was put without versioning.
const nullVersion = "null"

func (h *Handler) listVersions(e *Exchange) *failure {
	request, failed := readPageRequest(e.query, "max-keys")
	if failed != nil {
		return failed
	}
	bucket := h.store.Bucket(e.bucket)
	if bucket == nil {
		return errNoSuchBucket
	}
	request.owner = true
	request.After = e.query.get("key-marker")
	// A key has one version: the marker of a version says no more than that of its key.
	marker := e.query.get("version-id-marker")
	e.replyXML(http.StatusOK, request.writeVersions(bucket.Name, marker, bucket.List(request.Query)))
	return nil
}

func (r *listRequest) writeVersions(bucket, versionMarker string, page store.Page) []byte {
	var text xmlText
	text.openS3("ListVersionsResult")
	text.element("Name", bucket)
	text.element("Prefix", r.text(r.Prefix))
	text.element("KeyMarker", r.text(r.After))
	text.element("VersionIdMarker", versionMarker)
	if page.Truncated {
		text.element("NextKeyMarker", r.text(page.Entries[len(page.Entries)-1].Name))
		text.element("NextVersionIdMarker", nullVersion)
	}
	text.element("MaxKeys", strconv.Itoa(r.Max))
	r.writeShape(&text, page.Truncated)
	for _, entry := range page.Entries {
		if entry.Object != nil {
			text.start("Version")
			text.element("Key", r.text(entry.Name))
			text.element("VersionId", nullVersion)
			text.element("IsLatest", "true")
			r.writeObject(&text, entry.Object)
			text.close("Version")
		}
	}
	r.writePrefixes(&text, page)
	text.close("ListVersionsResult")
	return text.bytes()
}
