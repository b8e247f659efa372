// Tells HTTP/2 from HTTP/1.1 on one port, by the first bytes of a connection.

package gate

import (
	"bytes"
)

// preface is what a client that speaks HTTP/2 says first (RFC 9113, section 3.4).
var preface = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// chooseProtocol looks at all that has come. HTTP/2 has a framing of its own, of which net/http is strict:
// it passes as it is. False when more must come before that is clear.
func (f *framer) chooseProtocol(data []byte) bool {
	shorter := min(len(data), len(preface))
	switch {
	case !bytes.Equal(data[:shorter], preface[:shorter]):
		f.phase = phaseHead
	case shorter < len(preface):
		return false
	default:
		f.phase = phaseHTTP2
	}
	return true
}
