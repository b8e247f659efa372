// Writes answers: the common headers, the body, and errors as XML.

package s3

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pausemark/go/internal/store"
)

const xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>`

var xmlType = []string{"application/xml"}

// reply writes the answer; Content-Length stands in HEAD's answer too, where net/http drops the body.
func (e *exchange) reply(status int, body []byte) {
	e.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	e.WriteHeader(status)
	if len(body) > 0 {
		// A client that went away is net/http's to notice: there is nobody left to tell.
		_, _ = e.Write(body)
	}
}

// replyRange writes the bytes of an object from first on and before end.
func (e *exchange) replyRange(status int, object *store.Object, first, end int64) {
	e.Header()["Content-Length"] = []string{strconv.FormatInt(end-first, 10)}
	e.WriteHeader(status)
	for slice := range object.Range(first, end) {
		if _, err := e.Write(slice); err != nil {
			return // as in reply; and HEAD's answer has no body
		}
	}
}

func (e *exchange) replyXML(status int, body []byte) {
	e.Header()["Content-Type"] = xmlType
	e.reply(status, body)
}

func (e *exchange) fail(failed *failure) {
	if failed.closing {
		e.Header()["Connection"] = []string{"close"}
	}
	resource := "/" + e.bucket
	if e.key != "" {
		resource += "/" + e.key
	}
	var body xmlText
	body.open("Error")
	body.element("Code", failed.code)
	body.element("Message", failed.message)
	body.element("Resource", resource)
	body.element("RequestId", e.requestID)
	body.close("Error")
	e.replyXML(failed.status, body.bytes())
}

func upperHex(number uint64) string {
	var digits [16]byte
	for at := range digits {
		digits[at] = "0123456789ABCDEF"[number>>(60-4*at)&15]
	}
	return string(digits[:])
}

// xmlText builds a document from its start.
type xmlText struct {
	text []byte
}

func (x *xmlText) open(root string) {
	x.text = append(append(append(x.text, xmlHeader...), '<'), root...)
	x.text = append(x.text, '>')
}

// openS3 opens a root element in S3's namespace.
func (x *xmlText) openS3(root string) {
	x.text = append(append(append(x.text, xmlHeader...), '<'), root...)
	x.text = append(x.text, ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`...)
}

func (x *xmlText) start(name string) {
	x.text = append(append(append(x.text, '<'), name...), '>')
}

func (x *xmlText) close(name string) {
	x.text = append(append(append(x.text, "</"...), name...), '>')
}

func (x *xmlText) element(name, value string) {
	x.start(name)
	x.escape(value)
	x.close(name)
}

// time is told to the second, in a form with milliseconds: headers and documents tell the same.
func (x *xmlText) time(name string, at time.Time) {
	x.element(name, at.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000Z"))
}

// escape writes characters that XML reserves, or cannot hold as they are, by number, as S3 does.
func (x *xmlText) escape(value string) {
	for at := range len(value) {
		switch b := value[at]; {
		case b == '&':
			x.text = append(x.text, "&amp;"...)
		case b == '<':
			x.text = append(x.text, "&lt;"...)
		case b == '>':
			x.text = append(x.text, "&gt;"...)
		case b == '"':
			x.text = append(x.text, "&quot;"...)
		case b < ' ':
			x.text = append(x.text, "&#"...)
			x.text = append(strconv.AppendInt(x.text, int64(b), 10), ';')
		default:
			x.text = append(x.text, b)
		}
	}
}

func (x *xmlText) bytes() []byte {
	return x.text
}

// query holds the parameters of a target; S3's are few, so a slice is enough.
type query []parameter

type parameter struct {
	name  string
	value string
}

func parseQuery(raw string) (query, bool) {
	if raw == "" {
		return nil, true
	}
	var parsed query
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil {
			return nil, false
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

func (q query) get(name string) string {
	for _, one := range q {
		if one.name == name {
			return one.value
		}
	}
	return ""
}

// only tells whether every parameter is one of these, or `x-id`, by which the JavaScript client
// repeats the operation's name.
func (q query) only(names ...string) bool {
	for _, one := range q {
		known := one.name == "x-id"
		for _, name := range names {
			known = known || one.name == name
		}
		if !known {
			return false
		}
	}
	return true
}

// encodeURL is encoding-type=url: everything but the unreserved characters and `/`.
func encodeURL(value string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), "%2F", "/")
}

var _ http.ResponseWriter = (*exchange)(nil)
