// Writes answers: the common headers, the body, and errors as XML.

package s3

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pausemark/go/internal/store"
)

const upperHexDigits = "0123456789ABCDEF"

const xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>`

var xmlType = []string{"application/xml"}

// begin writes the head. A body that nobody has read must neither hold the answer back nor end the
// connection, and net/http would do both with a large one.
func (e *exchange) begin(status int) {
	if e.leavesBody() {
		_ = http.NewResponseController(e.ResponseWriter).EnableFullDuplex() // HTTP/1.1 has it
	}
	e.WriteHeader(status)
}

// awaits100 tells whether the client would be told to go on. net/http tells it with the first read.
func (e *exchange) awaits100() bool {
	return strings.EqualFold(e.request.Header.Get("Expect"), "100-continue")
}

// leavesBody tells whether a body is on its way that was not read. One that waits for a 100 is not.
func (e *exchange) leavesBody() bool {
	return !e.received && e.request.Body != nil && e.request.Body != http.NoBody &&
		!e.awaits100()
}

// readPast reads what is left of the body when the answer is out.
func (e *exchange) readPast(failed *failure) {
	if !e.leavesBody() || (failed != nil && failed.closing) {
		return
	}
	_ = http.NewResponseController(e.ResponseWriter).Flush() // who still sends may wait for the answer
	_, _ = io.Copy(io.Discard, e.request.Body)               // net/http notices where it breaks off
}

// reply writes the answer; Content-Length stands in HEAD's answer too, where net/http drops the body.
func (e *exchange) reply(status int, body []byte) {
	e.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	e.begin(status)
	if len(body) > 0 {
		// A client that went away is net/http's to notice: there is nobody left to tell.
		_, _ = e.Write(body)
	}
}

// replyRange writes the bytes of an object from first on and before end.
func (e *exchange) replyRange(status int, object *store.Object, first, end int64) {
	e.Header()["Content-Length"] = []string{strconv.FormatInt(end-first, 10)}
	e.begin(status)
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
	if failed.closing || (e.planned && !e.received && e.awaits100()) {
		e.Header()["Connection"] = []string{"close"}
	}
	var body xmlText
	body.open("Error")
	body.element("Code", failed.code)
	body.message(failed)
	body.element("Resource", e.path)
	body.element("RequestId", e.requestID)
	body.close("Error")
	e.replyXML(failed.status, body.bytes())
}

func upperHex(number uint64) string {
	var digits [16]byte
	for at := range digits {
		digits[at] = upperHexDigits[number>>(60-4*at)&15]
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

// message stands as the contract has it, which has nothing to escape but an apostrophe.
func (x *xmlText) message(failed *failure) {
	x.start("Message")
	x.text = append(x.text, failed.message...)
	x.close("Message")
}

// time is told to the second, in a form with milliseconds: headers and documents tell the same.
func (x *xmlText) time(name string, at time.Time) {
	x.element(name, at.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000Z"))
}

// escape writes what XML reserves by name, and what it cannot hold as it is by number.
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
		case b == '\'':
			x.text = append(x.text, "&apos;"...)
		case b == '\r':
			x.text = append(x.text, "&#13;"...)
		case b < ' ' && b != '\t' && b != '\n':
			x.text = append(x.text, "&#x"...)
			x.text = append(x.text, upperHexDigits[b>>4], upperHexDigits[b&15], ';')
		default:
			x.text = append(x.text, b)
		}
	}
}

func (x *xmlText) bytes() []byte {
	return x.text
}

var _ http.ResponseWriter = (*exchange)(nil)
