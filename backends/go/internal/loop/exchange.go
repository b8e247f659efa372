// A request in progress, and its answer as bytes in the contract's order.

package loop

import (
	"net/http"
	"strconv"

	"pausemark/go/internal/s3"
	"pausemark/go/internal/store"
)

// inlineBytesMax is the largest body that is copied behind its head, so that pipelined answers leave in one
// write; a larger one is sent from where it lies.
const inlineBytesMax = 32 << 10

// exchange is recycled with all of its memory.
type exchange struct {
	s3.Exchange
	connection *connection
	head       []byte // what the request is a view of
	coded      coded
	inBody     bool // bytes of the body are still to come
	feeding    bool // they are fed to the exchange; otherwise they are read past
	headOnly   bool
	waiting    bool // for the log
	committing bool // its one write; otherwise a goroutine waits with it
	outcome    error

	out      *[]byte // where the answer goes: the loop's output, or own
	own      []byte  // the answer of who waited
	object   *store.Object
	document []byte
	at, end  int64 // what is left to be sent of either
}

func newExchange() *exchange {
	x := &exchange{}
	x.Answer = x
	return x
}

// reset makes it as new, but for its memory.
func (x *exchange) reset() {
	x.Exchange.Reset()
	kept := exchange{Exchange: x.Exchange, head: x.head[:0], own: x.own[:0]}
	kept.coded.line = x.coded.line[:0]
	*x = kept
}

// isSending tells whether a large body is still to be sent.
func (x *exchange) isSending() bool {
	return x.at < x.end
}

var statusLines = func() (lines [600]string) {
	for status := range lines {
		if text := http.StatusText(status); text != "" {
			lines[status] = "HTTP/1.1 " + strconv.Itoa(status) + " " + text + "\r\nDate: "
		}
	}
	return lines
}()

// Start implements s3.Answer.
func (x *exchange) Start(status int) {
	text := append(append(*x.out, statusLines[status]...), x.Date()...)
	text = append(append(text, "\r\nServer: pausemark\r\nx-amz-request-id: "...), x.ID()...)
	*x.out = append(text, "\r\n"...)
}

// Field implements s3.Answer.
func (x *exchange) Field(name, value string) {
	text := append(append(*x.out, name...), ": "...)
	*x.out = append(append(text, value...), "\r\n"...)
}

// Empty implements s3.Answer.
func (x *exchange) Empty() {
	x.endHead(0)
}

func (x *exchange) endHead(length int64) {
	text := strconv.AppendInt(append(*x.out, "Content-Length: "...), length, 10)
	*x.out = append(text, "\r\n"...)
	x.NoLength()
}

// NoLength implements s3.Answer.
func (x *exchange) NoLength() {
	text := *x.out
	if x.Closing {
		text = append(text, "Connection: close\r\n"...)
	}
	*x.out = append(text, "\r\n"...)
}

// Document implements s3.Answer.
func (x *exchange) Document(content []byte) {
	x.endHead(int64(len(content)))
	switch {
	case x.headOnly:
	case len(content) <= inlineBytesMax:
		*x.out = append(*x.out, content...)
	default:
		x.document, x.at, x.end = content, 0, int64(len(content))
	}
}

// Object implements s3.Answer.
func (x *exchange) Object(object *store.Object, first, end int64) {
	x.endHead(end - first)
	switch {
	case x.headOnly:
	case end-first <= inlineBytesMax:
		for slice := range object.Range(first, end) {
			*x.out = append(*x.out, slice...)
		}
	default:
		x.object, x.at, x.end = object, first, end
	}
}
