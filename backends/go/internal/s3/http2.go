// What HTTP/2 has otherwise than HTTP/1.1, where net/http does not make them alike.

package s3

import (
	"net/http"
	"time"

	"pausemark/go/internal/gate"
	"pausemark/go/internal/wire"
)

func (s *served) isHTTP2() bool {
	return s.request.ProtoMajor == 2
}

// takeHTTP2 lets a body come without a length, also one that turns out to be empty, and has one Host.
func (s *served) takeHTTP2() {
	hasBody := s.request.Method == http.MethodPut || s.request.Method == http.MethodPost
	if hasBody && len(s.request.Header["Content-Length"]) == 0 {
		s.Request.Length = -1
	}
	delete(s.request.Header, "Host") // net/http has taken the authority for it
}

// refusal is the status for what is no HTTP: in HTTP/1.1 the gate says so, in HTTP/2 net/http resets the
// stream, but for a length that is none, or comes again as another.
func (s *served) refusal() int {
	if !s.isHTTP2() {
		return gate.Refusal(s.request.Context())
	}
	var framing wire.Framing
	for _, length := range s.request.Header["Content-Length"] {
		if !framing.TakeLength([]byte(length)) {
			return http.StatusBadRequest
		}
	}
	return 0
}

// copiedBytes is two frames of the usual size.
const copiedBytes = 32 << 10

// writeCopied writes bytes that may soon be another's: when a stream is reset, net/http may go on reading
// what it was given, though Write has returned. The buffer is then left to it.
func (s *served) writeCopied(data []byte) (written int, err error) {
	buffer := make([]byte, min(len(data), copiedBytes))
	for err == nil && written < len(data) {
		count := copy(buffer, data[written:])
		count, err = s.Write(buffer[:count])
		written += count
	}
	return written, err
}

// hurry gives the body of HTTP/2 its time to go on; that of HTTP/1.1 the gate watches.
func (s *served) hurry() {
	if !s.isHTTP2() {
		return
	}
	now := time.Now()
	if s.due.Sub(now) > gate.ProgressTimeout/2 {
		return // it costs a message to the connection's goroutine
	}
	s.due = now.Add(gate.ProgressTimeout)
	_ = http.NewResponseController(s.ResponseWriter).SetReadDeadline(s.due) // HTTP/2 has it
}
