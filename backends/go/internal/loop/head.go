// Reads one request's head from a connection's input.

package loop

import (
	"bytes"
	"net/http"
	"strings"
	"unsafe"

	"pausemark/go/internal/wire"
)

// scanHead returns the length of a whole head; 0 asks for more, unless the status says why it is refused.
func scanHead(input []byte) (size, status int) {
	limit := min(len(input), wire.HeadBytesMax)
	if input[0] <= ' ' || input[0] >= 0x7f {
		return 0, http.StatusBadRequest // no request begins so: there is nothing to wait for
	}
	for line := 0; ; {
		feed := bytes.IndexByte(input[line:limit], '\n')
		switch {
		case feed < 0 && limit == wire.HeadBytesMax:
			return 0, http.StatusRequestHeaderFieldsTooLarge
		case feed < 0:
			return 0, 0
		case feed == 0 || input[line+feed-1] != '\r':
			return 0, http.StatusBadRequest
		case feed == 1:
			return line + 2, 0
		}
		line += feed + 1
	}
}

// readHead takes a copy of a whole head, of which the request is a view. False when it is refused.
func (x *exchange) readHead(head []byte) bool {
	x.head = append(x.head[:0], head...)
	// The view is safe as long as x.head is not written to, which is when the exchange is given back.
	text := unsafe.String(unsafe.SliceData(x.head), len(x.head))
	end := bytes.IndexByte(x.head, '\n') - 1
	method, target, minor, ok := wire.RequestLine(x.head[:end])
	if !ok {
		return false
	}
	request := &x.Request
	request.Method, request.Target = text[:len(method)], text[len(method)+1:len(method)+1+len(target)]
	var framing wire.Framing
	for line := end + 2; ; {
		size := bytes.IndexByte(x.head[line:], '\n') - 1
		if size == 0 {
			break
		}
		colon := framing.Take(x.head[line : line+size])
		if colon == 0 {
			return false
		}
		request.Fields = append(request.Fields, wire.Field{Name: text[line : line+colon],
			Value: strings.Trim(text[line+colon+1:line+size], " \t")})
		line += size + 2
	}
	if !framing.Complete() || (framing.Chunked && minor == 0) {
		return false
	}
	x.headOnly = request.Method == http.MethodHead
	x.Closing = minor == 0 || saysClose(request)
	x.frame(&framing)
	return true
}

func (x *exchange) frame(framing *wire.Framing) {
	x.Request.Length, x.coded.left = framing.Length, framing.Length
	if framing.Chunked {
		x.Request.Length, x.coded.left = -1, 0
		x.coded.state = inSize
	}
	x.inBody = x.Request.Length != 0
}

func saysClose(request *wire.Request) bool {
	for at := range request.Fields {
		if !request.Fields[at].Is("connection") {
			continue
		}
		for option := range strings.SplitSeq(request.Fields[at].Value, ",") {
			if strings.EqualFold(strings.Trim(option, " \t"), "close") {
				return true
			}
		}
	}
	return false
}
