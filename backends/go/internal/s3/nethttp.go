// The stack net/http: its requests as the operations see them, and its answers.

package s3

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"pausemark/go/internal/gate"
	"pausemark/go/internal/store"
	"pausemark/go/internal/wire"
)

// lineBufferBytes is for what is read between chunks of content, which goes straight to its place.
const lineBufferBytes = 4 << 10

// served is an exchange over net/http.
type served struct {
	Exchange
	http.ResponseWriter
	request *http.Request
	status  int
	due     time.Time // of HTTP/2: when the body must have gone on
	header  http.Header
	values  [valuesMax]string // of the header, which is copied when it is written
	used    int
	buffer  [lineBufferBytes]byte
}

// valuesMax is for the headers of most answers: more of them are allocated.
const valuesMax = 12

var servedExchanges = sync.Pool{New: func() any {
	s := &served{}
	s.Answer = s
	return s
}}

var serverHeader = []string{"pausemark"}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	s, _ := servedExchanges.Get().(*served)
	s.take(writer, request)
	answered := s.serve(h)
	s.Reset()
	s.ResponseWriter, s.request, s.header, s.due = nil, nil, nil, time.Time{}
	clear(s.values[:s.used])
	s.used = 0
	servedExchanges.Put(s)
	if !answered {
		panic(http.ErrAbortHandler) // it is how net/http ends a connection without an answer
	}
}

func (s *served) take(writer http.ResponseWriter, request *http.Request) {
	s.ResponseWriter, s.request = writer, request
	s.Request.Method, s.Request.Target, s.Request.Length = request.Method, request.RequestURI,
		request.ContentLength
	if request.ProtoMajor == 2 {
		s.takeHTTP2()
	}
	fields := append(s.Request.Fields, wire.Field{Name: "Host", Value: request.Host})
	for name, values := range request.Header {
		for _, value := range values {
			fields = append(fields, wire.Field{Name: name, Value: value})
		}
	}
	if len(request.TransferEncoding) > 0 { // net/http takes it out of the headers
		fields = append(fields, wire.Field{Name: "Transfer-Encoding", Value: request.TransferEncoding[0]})
	}
	s.Request.Fields = fields
}

// serve answers; false when the body ended before its end, and nobody is there to be answered.
func (s *served) serve(h *Handler) bool {
	if status := s.refusal(); status != 0 {
		h.Refuse(&s.Exchange, status)
		return true
	}
	switch h.Begin(&s.Exchange) {
	case WantsBody:
		return s.receive(h)
	case Ready:
		h.Finish(&s.Exchange)
	}
	s.readPast()
	return true
}

// receive reads the body to its end, also where that is clear to be in vain: the connection goes on.
func (s *served) receive(h *Handler) bool {
	for {
		s.hurry()
		into := s.Space()
		straight := len(into) > 0
		if !straight {
			into = s.buffer[:]
		}
		count, err := s.request.Body.Read(into)
		if straight {
			s.Filled(count)
		} else {
			s.Feed(into[:count])
		}
		switch {
		case s.IsRefused():
			h.Refuse(&s.Exchange, http.StatusBadRequest)
			return true
		case err == io.EOF:
			h.Finish(&s.Exchange)
			return true
		case err != nil && gate.Broken(s.request.Context()):
			h.Refuse(&s.Exchange, http.StatusBadRequest)
			return true
		case err != nil:
			h.Abandon(&s.Exchange)
			return false
		}
	}
}

// leavesBody tells whether a body is on its way that was not read, and that stands before the next request.
// One that waits for a 100 is not on its way.
func (s *served) leavesBody() bool {
	return !s.isHTTP2() && !s.received && s.Request.Length != 0 && s.request.Body != nil && !s.Request.Expects100()
}

// readPast reads what is left of the body when the answer is out.
func (s *served) readPast() {
	if !s.leavesBody() || s.Closing {
		return
	}
	_ = http.NewResponseController(s.ResponseWriter).Flush() // who still sends may wait for the answer
	_, _ = io.Copy(io.Discard, s.request.Body)               // net/http notices where it breaks off
}

// Start implements Answer.
func (s *served) Start(status int) {
	s.status = status
	s.header = s.Header()
	s.header["Date"] = s.handler.dateNow().values
	s.header["Server"] = serverHeader
	s.header["x-amz-request-id"] = s.list(string(s.id[:]))
}

// list is a list of one value, in the exchange's own memory as long as there is some.
func (s *served) list(value string) []string {
	if s.used == len(s.values) {
		return []string{value}
	}
	at := s.used
	s.values[at] = value
	s.used++
	return s.values[at:s.used:s.used]
}

// Field implements Answer.
func (s *served) Field(name, value string) {
	if before := s.header[name]; before != nil {
		s.header[name] = append(before, value)
		return
	}
	s.header[name] = s.list(value)
}

// Empty implements Answer.
func (s *served) Empty() {
	s.end(0)
}

// end writes the head. A body that nobody has read must neither hold the answer back nor end the
// connection, and net/http would do both with a large one.
func (s *served) end(length int64) {
	s.Field("Content-Length", strconv.FormatInt(length, 10))
	s.NoLength()
}

// NoLength implements Answer.
func (s *served) NoLength() {
	if s.Closing && !s.isHTTP2() {
		s.header["Connection"] = []string{"close"}
	}
	if s.leavesBody() {
		_ = http.NewResponseController(s.ResponseWriter).EnableFullDuplex() // HTTP/1.1 has it
	}
	s.WriteHeader(s.status)
}

// Document implements Answer. Content-Length stands in HEAD's answer too, where net/http drops the body.
func (s *served) Document(content []byte) {
	s.end(int64(len(content)))
	// A client that went away is net/http's to notice: there is nobody left to tell.
	_, _ = s.Write(content)
}

// Object implements Answer.
func (s *served) Object(object *store.Object, first, end int64) {
	s.end(end - first)
	write := s.Write
	if s.isHTTP2() && object.IsLent() {
		write = s.writeCopied
	}
	for slice := range object.Range(first, end) {
		if _, err := write(slice); err != nil {
			return // as in Document
		}
	}
}
