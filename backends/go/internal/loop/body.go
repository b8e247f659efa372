// Reads a request's body out of its framing, and feeds it to the exchange or past it.

package loop

import (
	"bytes"

	"pausemark/go/internal/wire"
)

// Where a body in chunks is; what is not data is a line.
const (
	inLength = iota // no chunks at all
	inSize
	inData
	inDataEnd
	inTrailer
)

// coded is how far a body has been read.
type coded struct {
	state         int
	left          int64 // of the body, or of the chunk's data
	trailersBytes int
	line          []byte // what has come of it
}

type bodyState int

const (
	bodyGoesOn bodyState = iota
	bodyEnds
	bodyIsBad // its framing
	bodyIsRefused
)

// takeBody takes what of the input is the body's and returns how much that is.
func (x *exchange) takeBody(input []byte) (used int, state bodyState) {
	for used < len(input) {
		rest := input[used:]
		if x.coded.state == inLength || x.coded.state == inData {
			count := int(min(int64(len(rest)), x.coded.left))
			used += count
			if x.feeding && !x.Feed(rest[:count]) {
				return used, bodyIsRefused
			}
			if x.came(count) {
				return used, bodyEnds
			}
			continue
		}
		count, ok := x.takeLine(rest)
		used += count
		if !ok {
			return used, bodyIsBad
		}
		if x.coded.state == inLength { // behind the last trailer
			return used, bodyEnds
		}
	}
	return used, bodyGoesOn
}

// came counts bytes of data; true when they were the body's last.
func (x *exchange) came(count int) bool {
	x.coded.left -= int64(count)
	if x.coded.left > 0 {
		return false
	}
	if x.coded.state == inLength {
		return true
	}
	x.coded.state = inDataEnd
	return false
}

// takeLine takes bytes of a line, and does what it says once it is whole.
func (x *exchange) takeLine(input []byte) (used int, ok bool) {
	c := &x.coded
	used = bytes.IndexByte(input, '\n') + 1
	whole := used > 0
	if !whole {
		used = len(input)
	}
	if len(c.line)+used > wire.LineBytesMax {
		return used, false
	}
	c.line = append(c.line, input[:used]...)
	if !whole {
		return used, true
	}
	text, terminated := bytes.CutSuffix(c.line, []byte("\r\n"))
	c.line = c.line[:0]
	if !terminated || bytes.IndexByte(text, '\r') >= 0 {
		return used, false
	}
	return used, c.endLine(text)
}

func (c *coded) endLine(text []byte) (ok bool) {
	switch c.state {
	case inSize:
		c.left, ok = wire.ChunkSize(text)
		c.state = inData
		if c.left == 0 {
			c.state = inTrailer
		}
		return ok
	case inDataEnd:
		c.state = inSize
		return len(text) == 0
	default:
		if len(text) == 0 {
			c.state = inLength
			return true
		}
		c.trailersBytes += len(text)
		return c.trailersBytes <= wire.HeadBytesMax && wire.FieldName(text) > 0
	}
}
