// The parameters of a target, and which of S3's are not served here.

package s3

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// query holds the parameters of a target; S3's are few, so a slice is enough.
type query []parameter

type parameter struct {
	name  string
	value string
}

func appendQuery(parsed query, raw string) (query, bool) {
	if raw == "" {
		return parsed, true
	}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name == "" {
			continue
		}
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return parsed, false
		}
		parsed = append(parsed, parameter{name, value})
	}
	return parsed, true
}

func (q query) has(name string) bool {
	for _, one := range q {
		if one.name == name {
			return true
		}
	}
	return false
}

// find returns a parameter's first value, and how often it stands there.
func (q query) find(name string) (value string, count int) {
	for _, one := range q {
		if one.name != name {
			continue
		}
		if count == 0 {
			value = one.value
		}
		count++
	}
	return value, count
}

func (q query) get(name string) string {
	for _, one := range q {
		if one.name == name {
			return one.value
		}
	}
	return ""
}

// beyond are the subresources that S3 has, in order; what no S3 has is ignored, as S3 does.
var beyond = []string{"accelerate", "acl", "analytics", "attributes", "cors", "encryption",
	"intelligent-tiering", "inventory", "legal-hold", "lifecycle", "logging", "metrics",
	"notification", "object-lock", "ownershipControls", "partNumber", "policy", "policyStatus",
	"publicAccessBlock", "replication", "requestPayment", "restore", "retention", "select", "tagging",
	"torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website"}

// asksBeyond tells whether a parameter asks for what S3 has and this subset has not, here.
func (e *Exchange) asksBeyond() bool {
	for _, one := range e.query {
		_, known := slices.BinarySearch(beyond, one.name)
		if known && !e.serves(one.name) {
			return true
		}
	}
	return false
}

// serves tells whether one of these subresources is served for this method and this kind of resource.
func (e *Exchange) serves(name string) bool {
	method := e.Request.Method
	switch {
	case e.bucket == "":
		return false
	case e.key == "":
		return method == http.MethodGet && (name == "versioning" || name == "versions" || name == "uploads")
	case name == "uploads":
		return method == http.MethodPost
	case name == "uploadId":
		return method == http.MethodGet || method == http.MethodPost || method == http.MethodDelete ||
			(method == http.MethodPut && e.query.has("partNumber"))
	case name == "partNumber":
		return method == http.MethodPut && e.query.has("uploadId")
	default:
		return false
	}
}

// encodeURL is encoding-type=url: everything but the unreserved characters and `/`.
func encodeURL(value string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), "%2F", "/")
}
