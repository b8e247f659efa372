// The seam between the operations and the stacks: one request on its way to its answer.

package s3

import (
	"pausemark/go/internal/journal"
	"pausemark/go/internal/sigv4"
	"pausemark/go/internal/store"
	"pausemark/go/internal/wire"
)

// State is what is to come of an exchange.
type State int

// What Begin says: the answer is given, or the body is to be fed and then the exchange to be finished, or
// it is ready to be finished, and nobody reads its body.
const (
	Answered State = iota
	WantsBody
	Ready
)

// Answer takes an answer in the order of the wire: the status, which brings the common headers with it, the
// operation's own headers, and then one of the ends. A stack implements it. What it is given is valid for
// the call, but objects and documents, which it may keep.
type Answer interface {
	Start(status int)
	Field(name, value string)
	Empty()    // Content-Length: 0
	NoLength() // 204 and 304
	Document(content []byte)
	Object(object *store.Object, first, end int64)
}

// Exchange is one request on its way to its answer. A stack fills in Request and Answer, and may use it
// again after Reset.
type Exchange struct {
	Request wire.Request
	Answer  Answer
	Closing bool // whether the connection ends with the answer, which says so

	handler *Handler
	id      [16]byte
	path    string // as it was sent; what an error calls its resource
	bucket  string
	key     string
	query   query
	seal    *sigv4.Seal // nil when nobody verifies

	finish    func(*Handler, *Exchange) *failure // what Begin left to be done
	planned   bool                               // whether the body is one that is read
	received  bool                               // whether it was, to its end
	body      body
	write     store.Write               // what finish left to be committed, where it left
	committed func(*Handler, *Exchange) // what is answered then
	pending   journal.Pending

	// What Begin found for finish:
	in          *store.Bucket
	object      *store.Object
	held        [heldMax]*store.Object // what is let go when the exchange is over
	condition   store.Condition
	overriding  bool // whether the query tells other values than the kept ones
	upload      *store.Upload
	part        *store.Part
	first, last int64 // of the source's bytes that are copied
}

// heldMax is a copy's source and what is made of it.
const heldMax = 2

// hold keeps an object's bytes as they are until the exchange is over, its answer sent.
func (e *Exchange) hold(object *store.Object) {
	for at := range e.held {
		if e.held[at] == nil {
			e.held[at] = object
			return
		}
	}
	panic("an exchange holds more objects than any operation has")
}

// Reset makes the exchange as new, but for the memory that it has.
func (e *Exchange) Reset() {
	clear(e.Request.Fields) // nothing keeps what others own alive
	clear(e.query)
	fields, parameters := e.Request.Fields[:0], e.query[:0]
	line, digest := e.body.line[:0], e.body.digest
	e.pending.Reset()
	for _, object := range e.held {
		object.LetGo()
	}
	*e = Exchange{Answer: e.Answer, pending: e.pending}
	e.Request.Fields, e.query, e.body.line, e.body.digest = fields, parameters, line, digest
}

// Date is the answer's Date.
func (e *Exchange) Date() string {
	return e.handler.dateNow().values[0]
}

// ID is the answer's x-amz-request-id.
func (e *Exchange) ID() []byte {
	return e.id[:]
}

// start begins the answer. Where a client that waits for a 100 gets a final status instead, only closing
// leaves no doubt whether its body follows.
func (e *Exchange) start(status int) {
	if !e.received && (e.planned || e.Request.Length != 0) && e.Request.Expects100() {
		e.Closing = true
	}
	e.Answer.Start(status)
}
