// Operations on buckets: create, head, delete, location and both listings.

package s3

import (
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"

	"pausemark/go/internal/store"
)

const (
	listKeysMax       = 1000
	isoTime           = "2006-01-02T15:04:05.000Z"
	configBytesMax    = 64 << 10
	ownerID           = "pausemark"
	typeURL           = "url"
	listTypeParameter = "list-type"
)

func (h *Handler) listBuckets(e *exchange) *failure {
	var text xmlText
	text.openS3("ListAllMyBucketsResult")
	text.owner()
	text.start("Buckets")
	for _, bucket := range h.store.Buckets() {
		text.start("Bucket")
		text.element("Name", bucket.Name)
		text.element("CreationDate", bucket.Created.UTC().Format(isoTime))
		text.close("Bucket")
	}
	text.close("Buckets")
	text.close("ListAllMyBucketsResult")
	e.replyXML(http.StatusOK, text.bytes())
	return nil
}

func (x *xmlText) owner() {
	x.start("Owner")
	x.element("ID", ownerID)
	x.element("DisplayName", ownerID)
	x.close("Owner")
}

func (h *Handler) createBucket(e *exchange) *failure {
	if !validBucketName(e.bucket) {
		return errInvalidBucket
	}
	// A CreateBucketConfiguration may come; its region says nothing to a store that has one place.
	if _, err := io.Copy(io.Discard, io.LimitReader(e.request.Body, configBytesMax)); err != nil {
		return errIncompleteBody
	}
	if failed := h.commitBucket(e, store.CreateBucket); failed != nil {
		return failed
	}
	e.Header()["Location"] = []string{"/" + e.bucket}
	e.reply(http.StatusOK, nil)
	return nil
}

func validBucketName(name string) bool {
	if len(name) < 3 || len(name) > 63 {
		return false
	}
	for at := range len(name) {
		b := name[at]
		alphanumeric := (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9')
		if !alphanumeric && (at == 0 || at == len(name)-1 || (b != '.' && b != '-')) {
			return false
		}
	}
	return true
}

func (h *Handler) removeBucket(e *exchange) *failure {
	if failed := h.commitBucket(e, store.DeleteBucket); failed != nil {
		return failed
	}
	e.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) getBucket(e *exchange) *failure {
	location := e.query.has("location") && e.query.only("location")
	if !location && !e.query.only(listTypeParameter, "prefix", "delimiter", "max-keys", "start-after",
		"continuation-token", "encoding-type", "fetch-owner", "marker") {
		return errNotImplemented
	}
	bucket := h.store.Bucket(e.bucket)
	if bucket == nil {
		return errNoSuchBucket
	}
	if location {
		body := xmlHeader + `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>`
		e.replyXML(http.StatusOK, []byte(body))
		return nil
	}
	request, failed := readListRequest(e.query)
	if failed != nil {
		return failed
	}
	page := bucket.List(request.Query)
	e.replyXML(http.StatusOK, request.write(bucket.Name, page))
	return nil
}

// listRequest is either listing's query, read and judged.
type listRequest struct {
	store.Query
	v2         bool
	owner      bool
	encodeURL  bool
	startAfter string
	token      string
}

func readListRequest(parameters query) (*listRequest, *failure) {
	r := &listRequest{v2: parameters.has(listTypeParameter)}
	if r.v2 && parameters.get(listTypeParameter) != "2" {
		return nil, errInvalidArgument
	}
	r.Prefix, r.Delimiter, r.Max = parameters.get("prefix"), parameters.get("delimiter"), listKeysMax
	if text := parameters.get("max-keys"); text != "" {
		number, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return nil, errInvalidArgument
		}
		r.Max = min(int(number), listKeysMax)
	}
	if parameters.has("encoding-type") {
		r.encodeURL = parameters.get("encoding-type") == typeURL
		if !r.encodeURL {
			return nil, errInvalidArgument
		}
	}
	if !r.v2 {
		r.owner = true
		r.After = parameters.get("marker")
		return r, nil
	}
	r.owner = parameters.get("fetch-owner") == "true"
	r.startAfter = parameters.get("start-after")
	r.After = r.startAfter
	if parameters.has("continuation-token") {
		r.token = parameters.get("continuation-token")
		after, err := base64.RawURLEncoding.DecodeString(r.token)
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
	if r.Delimiter != "" {
		text.element("Delimiter", r.text(r.Delimiter))
	}
	if r.encodeURL {
		text.element("EncodingType", typeURL)
	}
	text.element("IsTruncated", strconv.FormatBool(page.Truncated))
	for _, entry := range page.Entries {
		if entry.Object != nil {
			r.writeObject(&text, entry)
		}
	}
	for _, entry := range page.Entries {
		if entry.Object == nil {
			text.start("CommonPrefixes")
			text.element("Prefix", r.text(entry.Name))
			text.close("CommonPrefixes")
		}
	}
	text.close("ListBucketResult")
	return text.bytes()
}

// writePosition writes where the page stands, which is all that the two versions differ in.
func (r *listRequest) writePosition(text *xmlText, page store.Page) {
	last := ""
	if page.Truncated {
		last = page.Entries[len(page.Entries)-1].Name
	}
	if !r.v2 {
		text.element("Marker", r.text(r.After))
		if last != "" && r.Delimiter != "" {
			text.element("NextMarker", r.text(last))
		}
		return
	}
	text.element("KeyCount", strconv.Itoa(len(page.Entries)))
	if r.token != "" {
		text.element("ContinuationToken", r.token)
	}
	if r.startAfter != "" {
		text.element("StartAfter", r.text(r.startAfter))
	}
	if last != "" {
		text.element("NextContinuationToken", base64.RawURLEncoding.EncodeToString([]byte(last)))
	}
}

func (r *listRequest) writeObject(text *xmlText, entry store.Entry) {
	text.start("Contents")
	text.element("Key", r.text(entry.Name))
	text.element("LastModified", entry.Object.Modified.UTC().Format(isoTime))
	text.element("ETag", entry.Object.ETag)
	text.element("Size", strconv.Itoa(len(entry.Object.Body)))
	if r.owner {
		text.owner()
	}
	text.element("StorageClass", "STANDARD")
	text.close("Contents")
}

// isTrue reads XML's booleans.
func isTrue(text string) bool {
	return strings.EqualFold(strings.TrimSpace(text), "true") || strings.TrimSpace(text) == "1"
}
