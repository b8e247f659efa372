// Marks what net/http would answer itself.

package gate

import (
	"bytes"

	"pausemark/go/internal/wire"
)

// BadEscape stands for a `%` that begins no escape. net/http would answer such a path itself, without our
// headers; with this byte, which is in no UTF-8, it passes and the handler refuses it.
const BadEscape = 0xff

// blankOtherExpect takes away what net/http would answer with 417, in plain text; S3 does not look at it.
func blankOtherExpect(line []byte, name int) {
	if name != len("Expect") || !bytes.EqualFold(line[:name], []byte("Expect")) {
		return
	}
	value := line[name+1:]
	if !bytes.EqualFold(bytes.TrimSpace(value), []byte("100-continue")) {
		copy(value, bytes.Repeat([]byte{' '}, len(value)))
	}
}

func markBadEscapes(target []byte) {
	path, _, _ := bytes.Cut(target, []byte{'?'})
	for at, b := range path {
		if b == '%' && (at+2 >= len(path) || !wire.IsHex(path[at+1]) || !wire.IsHex(path[at+2])) {
			path[at] = BadEscape
		}
	}
}
