// Writes documents, and errors as XML.

package s3

import (
	"time"
)

const upperHexDigits = "0123456789ABCDEF"

const xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>`

func (e *Exchange) replyXML(status int, body []byte) {
	e.start(status)
	e.Answer.Field("Content-Type", "application/xml")
	e.Answer.Document(body)
}

func (e *Exchange) fail(failed *failure) {
	e.Closing = e.Closing || failed.closing
	var body xmlText
	body.open("Error")
	body.element("Code", failed.code)
	body.element("Message", failed.message)
	body.element("Resource", e.path)
	body.start("RequestId")
	body.text = append(body.text, e.id[:]...)
	body.close("RequestId")
	body.close("Error")
	e.replyXML(failed.status, body.bytes())
}

func putUpperHex(into *[16]byte, number uint64) {
	for at := range into {
		into[at] = upperHexDigits[number>>(60-4*at)&15]
	}
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
