// The grammar of a request's head, and what its lines say of the body behind it.

package wire

import "bytes"

// HeadBytesMax is the limit of a request line and its headers together.
const HeadBytesMax = 16 << 10

// LineBytesMax limits a chunk's size line and each trailer line.
const LineBytesMax = 1 << 10

// Framing is what the fields of one head said of the body.
type Framing struct {
	Length    int64
	HasLength bool
	Chunked   bool
	hosts     int
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

// Take reads one header line without its CRLF and returns the length of its name; 0 means that the
// request must be refused.
func (f *Framing) Take(line []byte) int {
	colon := FieldName(line)
	if colon == 0 {
		return 0
	}
	value := bytes.Trim(line[colon+1:], " \t")
	for _, b := range value {
		if (b < ' ' && b != '\t') || b == 0x7f {
			return 0
		}
	}
	if !f.judge(line[:colon], value) {
		return 0
	}
	return colon
}

func (f *Framing) judge(name, value []byte) bool {
	switch len(name) {
	case len("Host"):
		if bytes.EqualFold(name, []byte("Host")) {
			f.hosts++
		}
	case len("Content-Length"):
		if bytes.EqualFold(name, []byte("Content-Length")) {
			return f.TakeLength(value)
		}
	case len("Transfer-Encoding"):
		if bytes.EqualFold(name, []byte("Transfer-Encoding")) {
			// Only chunked, only once: net/http decodes nothing else either.
			again := f.Chunked
			f.Chunked = bytes.EqualFold(value, []byte("chunked"))
			return f.Chunked && !again
		}
	}
	return true
}

// FieldName is the length of a field's name; 0 for no name, no colon, a folded line, or a space before the
// colon.
func FieldName(line []byte) int {
	colon := 0
	for colon < len(line) && tokenBytes[line[colon]] {
		colon++
	}
	if colon == len(line) || line[colon] != ':' {
		return 0
	}
	return colon
}

// TakeLength reads a Content-Length; false for one that is none, or another than the one before.
func (f *Framing) TakeLength(value []byte) bool {
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
	if f.HasLength && f.Length != length {
		return false
	}
	f.HasLength, f.Length = true, length
	return true
}

// Complete judges the head as a whole once its empty line has come.
func (f *Framing) Complete() bool {
	return f.hosts == 1 && !(f.Chunked && f.HasLength)
}

// RequestLine takes `METHOD target HTTP/1.0` and 1.1 apart; what the target means is the handler's affair.
func RequestLine(line []byte) (method, target []byte, minor byte, ok bool) {
	end := 0
	for end < len(line) && tokenBytes[line[end]] {
		end++
	}
	if end == 0 || end == len(line) || line[end] != ' ' {
		return nil, nil, 0, false
	}
	target, version, found := bytes.Cut(line[end+1:], []byte{' '})
	if !found || len(target) == 0 {
		return nil, nil, 0, false
	}
	for _, b := range target {
		if b <= ' ' || b == 0x7f {
			return nil, nil, 0, false
		}
	}
	ok = string(version) == "HTTP/1.1" || string(version) == "HTTP/1.0"
	return line[:end], target, line[len(line)-1] - '0', ok
}

// ChunkSize reads `1f` or `1f;extension`; 15 digits hold every size that can be meant.
func ChunkSize(text []byte) (int64, bool) {
	digits, _, _ := bytes.Cut(text, []byte{';'})
	if len(digits) == 0 || len(digits) > 15 {
		return 0, false
	}
	size := int64(0)
	for _, digit := range digits {
		value, ok := hexValue(digit)
		if !ok {
			return 0, false
		}
		size = size<<4 | int64(value)
	}
	return size, true
}

// IsHex tells whether the byte is a hexadecimal digit.
func IsHex(b byte) bool {
	_, ok := hexValue(b)
	return ok
}

func hexValue(b byte) (byte, bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return b | 0x20 - 'a' + 10, true
	default:
		return 0, false
	}
}
