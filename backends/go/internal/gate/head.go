// Reads one request head: method, target and the headers that frame a body.

package gate

import "bytes"

// headFacts is what the lines of one head said about its framing.
type headFacts struct {
	lineStart int // offset of the first line that is not yet taken
	lines     int
	hosts     int
	hasLength bool
	length    int64
	chunked   bool
}

// tokenBytes marks what a method or a header name may consist of (RFC 9110, section 5.6.2).
var tokenBytes = tokens()

func tokens() (table [256]bool) {
	for b := 'a'; b <= 'z'; b++ {
		table[b], table[b-'a'+'A'] = true, true
	}
	for _, b := range "0123456789!#$%&'*+-.^_`|~" {
		table[b] = true
	}
	return table
}

// take reads one line without its CRLF; false means that the request must be refused.
func (h *headFacts) take(line []byte) bool {
	h.lines++
	if h.lines == 1 {
		return requestLine(line)
	}
	colon := fieldName(line)
	if colon == 0 {
		return false
	}
	value := bytes.Trim(line[colon+1:], " \t")
	for _, b := range value {
		if (b < ' ' && b != '\t') || b == 0x7f {
			return false
		}
	}
	switch colon {
	case len("Host"):
		if bytes.EqualFold(line[:colon], []byte("Host")) {
			h.hosts++
		}
	case len("Content-Length"):
		if bytes.EqualFold(line[:colon], []byte("Content-Length")) {
			return h.takeLength(value)
		}
	case len("Transfer-Encoding"):
		if bytes.EqualFold(line[:colon], []byte("Transfer-Encoding")) {
			// Only chunked, only once: net/http decodes nothing else either.
			again := h.chunked
			h.chunked = bytes.EqualFold(value, []byte("chunked"))
			return h.chunked && !again
		}
	}
	return true
}

// fieldName is the length of a field's name; 0 for no name, no colon, a folded line, or a space before the
// colon.
func fieldName(line []byte) int {
	colon := 0
	for colon < len(line) && tokenBytes[line[colon]] {
		colon++
	}
	if colon == len(line) || line[colon] != ':' {
		return 0
	}
	return colon
}

func (h *headFacts) takeLength(value []byte) bool {
	if len(value) == 0 || len(value) > 18 {
		return false
	}
	length := int64(0)
	for _, digit := range value {
		if digit < '0' || digit > '9' {
			return false
		}
		length = length*10 + int64(digit-'0')
	}
	if h.hasLength && h.length != length {
		return false
	}
	h.hasLength, h.length = true, length
	return true
}

// complete judges the head as a whole once its empty line has come.
func (h *headFacts) complete() bool {
	return h.lines > 0 && h.hosts == 1 && !(h.chunked && h.hasLength)
}

// BadEscape stands for a `%` that begins no escape. net/http would answer such a path itself, without our
// headers; with this byte, which is in no UTF-8, it passes and the handler refuses it.
const BadEscape = 0xff

func markBadEscapes(target []byte) {
	path, _, _ := bytes.Cut(target, []byte{'?'})
	for at, b := range path {
		if b == '%' && (at+2 >= len(path) || !isHex(path[at+1]) || !isHex(path[at+2])) {
			path[at] = BadEscape
		}
	}
}

func isHex(b byte) bool {
	return (b >= '0' && b <= '9') || (b|0x20 >= 'a' && b|0x20 <= 'f')
}

// requestLine accepts `METHOD target HTTP/1.0` and 1.1; what the target means is the handler's affair.
func requestLine(line []byte) bool {
	method := 0
	for method < len(line) && tokenBytes[line[method]] {
		method++
	}
	if method == 0 || method == len(line) || line[method] != ' ' {
		return false
	}
	target, version, found := bytes.Cut(line[method+1:], []byte{' '})
	if !found || len(target) == 0 {
		return false
	}
	for _, b := range target {
		if b <= ' ' || b == 0x7f {
			return false
		}
	}
	markBadEscapes(target)
	return string(version) == "HTTP/1.1" || string(version) == "HTTP/1.0"
}
