// Marks what net/http would answer itself.

package gate

import (
	"bytes"

	"pausemark/go/internal/wire"
)

// BadEscape stands for a `%` that begins no escape. net/http would answer such a path itself, without our
// headers; with this byte, which is in no UTF-8, it passes and the handler refuses it.
const BadEscape = 0xff

func markBadEscapes(target []byte) {
	path, _, _ := bytes.Cut(target, []byte{'?'})
	for at, b := range path {
		if b == '%' && (at+2 >= len(path) || !wire.IsHex(path[at+1]) || !wire.IsHex(path[at+2])) {
			path[at] = BadEscape
		}
	}
}
