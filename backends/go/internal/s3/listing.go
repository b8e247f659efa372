// Listings of objects: what they are asked, and both versions of their answer.

package s3

import (
	"encoding/hex"
	"net/http"
	"strconv"

	"pausemark/go/internal/store"
)

const (
	listKeysMax = 1000
	typeURL     = "url"
)

func (h *Handler) listObjects(e *Exchange) *failure {
	request, failed := readListRequest(e.query)
	if failed != nil {
		return failed
	}
	bucket := h.store.Bucket(e.bucket)
	if bucket == nil {
		return errNoSuchBucket
	}
	e.replyXML(http.StatusOK, request.write(bucket.Name, bucket.List(request.Query)))
	return nil
}

// listRequest is either listing's query, read and judged.
type listRequest struct {
	store.Query
	v2         bool
	owner      bool
	encodeURL  bool
	started    bool
	startAfter string
	token      string
}

// readPageRequest reads what every listing is asked with; maxName is how this one calls its limit.
func readPageRequest(parameters query, maxName string) (*listRequest, *failure) {
	r := &listRequest{}
	r.Prefix, r.Delimiter = parameters.get("prefix"), parameters.get("delimiter")
	var failed *failure
	if r.Max, failed = parameters.number(maxName, listKeysMax); failed != nil {
		return nil, failed
	}
	r.Max = min(r.Max, listKeysMax)
	if parameters.has("encoding-type") {
		r.encodeURL = parameters.get("encoding-type") == typeURL
		if !r.encodeURL {
			return nil, errInvalidArgument
		}
	}
	return r, nil
}

// number is a parameter's number, which is not negative, or another one where nothing is said.
func (q query) number(name string, otherwise int) (int, *failure) {
	if !q.has(name) {
		return otherwise, nil
	}
	number, err := strconv.ParseUint(q.get(name), 10, 31)
	if err != nil {
		return 0, errInvalidArgument
	}
	return int(number), nil
}

func readListRequest(parameters query) (*listRequest, *failure) {
	r, failed := readPageRequest(parameters, "max-keys")
	if failed != nil {
		return nil, failed
	}
	r.v2 = parameters.get("list-type") == "2"
	if !r.v2 {
		r.owner = true
		r.After = parameters.get("marker")
		return r, nil
	}
	r.owner = parameters.get("fetch-owner") == "true"
	r.started = parameters.has("start-after")
	r.startAfter = parameters.get("start-after")
	r.After = r.startAfter
	if parameters.has("continuation-token") {
		r.token = parameters.get("continuation-token")
		after, err := hex.DecodeString(r.token)
		if err != nil || len(after) == 0 {
			return nil, errInvalidArgument
		}
		r.After = string(after)
	}
	return r, nil
}

func (r *listRequest) text(value string) string {
	if r.encodeURL {
		return encodeURL(value)
	}
	return value
}

func (r *listRequest) write(bucket string, page store.Page) []byte {
	var text xmlText
	text.openS3("ListBucketResult")
	text.element("Name", bucket)
	text.element("Prefix", r.text(r.Prefix))
	r.writePosition(&text, page)
	text.element("MaxKeys", strconv.Itoa(r.Max))
	r.writeShape(&text, page.Truncated)
	for _, entry := range page.Entries {
		if entry.Object != nil {
			text.start("Contents")
			text.element("Key", r.text(entry.Name))
			r.writeObject(&text, entry.Object)
			text.close("Contents")
		}
	}
	r.writePrefixes(&text, page)
	text.close("ListBucketResult")
	return text.bytes()
}

// writeShape repeats how names are cut and written, and tells whether this is all.
func (r *listRequest) writeShape(text *xmlText, truncated bool) {
	if r.Delimiter != "" {
		text.element("Delimiter", r.text(r.Delimiter))
	}
	if r.encodeURL {
		text.element("EncodingType", typeURL)
	}
	text.element("IsTruncated", strconv.FormatBool(truncated))
}

func (r *listRequest) writePrefixes(text *xmlText, page store.Page) {
	for _, entry := range page.Entries {
		if entry.Object == nil {
			r.writePrefix(text, entry.Name)
		}
	}
}

func (r *listRequest) writePrefix(text *xmlText, prefix string) {
	text.start("CommonPrefixes")
	text.element("Prefix", r.text(prefix))
	text.close("CommonPrefixes")
}

// writePosition writes where the page stands, which is all that the two versions differ in.
func (r *listRequest) writePosition(text *xmlText, page store.Page) {
	last := ""
	if page.Truncated {
		last = page.Entries[len(page.Entries)-1].Name
	}
	if !r.v2 {
		text.element("Marker", r.text(r.After))
		if last != "" {
			text.element("NextMarker", r.text(last))
		}
		return
	}
	if r.started {
		text.element("StartAfter", r.text(r.startAfter))
	}
	if r.token != "" {
		text.element("ContinuationToken", r.token)
	}
	if last != "" {
		text.element("NextContinuationToken", hex.EncodeToString([]byte(last)))
	}
	text.element("KeyCount", strconv.Itoa(len(page.Entries)))
}

func (r *listRequest) writeObject(text *xmlText, object *store.Object) {
	text.time("LastModified", object.Modified)
	text.element("ETag", object.ETag)
	text.element("Size", strconv.FormatInt(object.Size(), 10))
	if r.owner {
		text.owner()
	}
	text.element("StorageClass", "STANDARD")
}
