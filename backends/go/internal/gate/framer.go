// Package gate reads the framing of requests before net/http does, because net/http settles silently
// what the contract refuses: a bare LF, a length beside a transfer coding, a head without a limit of
// its own, and a sender that stops halfway.
package gate

import (
	"bytes"
	"net/http"

	"pausemark/go/internal/wire"
)

type phase int

const (
	phaseHead phase = iota
	phaseLength
	phaseChunkSize
	phaseChunkData
	phaseChunkEnd
	phaseTrailer
	phaseRefused
	phaseBroken
	phasePreface // of a connection that may turn out to be HTTP/2
	phaseHTTP2
)

// framer follows one connection's requests from boundary to boundary. Bytes that it approves are
// framed as net/http will frame them; after phaseRefused and phaseBroken it approves none.
type framer struct {
	phase   phase
	left    int64 // bytes of body or chunk still to come
	trailer int   // bytes of trailers seen
	status  int   // why phaseRefused
	heads   int64 // heads approved so far
	head    head
}

// head is how far the head of the next request has been read.
type head struct {
	wire.Framing
	lineStart int // offset of the first line that is not yet taken
	lines     int
}

// take reads one line without its CRLF; false means that the request must be refused.
func (h *head) take(line []byte) bool {
	h.lines++
	if h.lines > 1 {
		name := h.Take(line)
		blankOtherExpect(line, name)
		return name > 0
	}
	_, target, _, ok := wire.RequestLine(line)
	if ok {
		markBadEscapes(target)
	}
	return ok
}

// advance returns how many bytes from the start of data may pass. Fewer than all means that the
// rest is an unfinished line or head: call again with the same rest and more behind it.
func (f *framer) advance(data []byte) int {
	passed := 0
	for {
		rest := data[passed:]
		step := 0
		switch f.phase {
		case phasePreface:
			if f.chooseProtocol(rest) {
				continue
			}
		case phaseHTTP2:
			step = len(rest)
		case phaseHead:
			step = f.takeHead(rest)
		case phaseLength, phaseChunkData:
			step = f.takeBody(rest)
		case phaseChunkSize, phaseChunkEnd, phaseTrailer:
			step = f.takeLine(rest)
		}
		if step == 0 {
			return passed
		}
		passed += step
	}
}

func (f *framer) takeHead(data []byte) int {
	for {
		newline := bytes.IndexByte(data[f.head.lineStart:], '\n')
		if newline < 0 {
			if len(data) > wire.HeadBytesMax {
				f.refuse(http.StatusRequestHeaderFieldsTooLarge)
			}
			return 0
		}
		line := data[f.head.lineStart : f.head.lineStart+newline]
		next := f.head.lineStart + newline + 1
		if next > wire.HeadBytesMax {
			f.refuse(http.StatusRequestHeaderFieldsTooLarge)
			return 0
		}
		text, terminated := bytes.CutSuffix(line, []byte{'\r'})
		if !terminated {
			f.refuse(http.StatusBadRequest)
			return 0
		}
		if len(text) == 0 {
			return f.endHead(next)
		}
		if !f.head.take(text) {
			f.refuse(http.StatusBadRequest)
			return 0
		}
		f.head.lineStart = next
	}
}

func (f *framer) endHead(size int) int {
	facts := f.head
	f.head = head{}
	if !facts.Complete() {
		f.refuse(http.StatusBadRequest)
		return 0
	}
	f.heads++
	switch {
	case facts.Chunked:
		f.phase = phaseChunkSize
	case facts.Length > 0:
		f.phase, f.left = phaseLength, facts.Length
	}
	return size
}

func (f *framer) takeBody(data []byte) int {
	step := min(int64(len(data)), f.left)
	f.left -= step
	if f.left == 0 {
		if f.phase == phaseLength {
			f.phase = phaseHead
		} else {
			f.phase = phaseChunkEnd
		}
	}
	return int(step)
}

// takeLine reads a chunk's size line, the empty line behind a chunk's data, or a trailer line.
func (f *framer) takeLine(data []byte) int {
	newline := bytes.IndexByte(data, '\n')
	if newline < 0 {
		if len(data) > wire.LineBytesMax {
			f.phase = phaseBroken
		}
		return 0
	}
	text, terminated := bytes.CutSuffix(data[:newline], []byte{'\r'})
	if !terminated || len(text) > wire.LineBytesMax || bytes.IndexByte(text, '\r') >= 0 {
		f.phase = phaseBroken
		return 0
	}
	if !f.endLine(text) {
		f.phase = phaseBroken
		return 0
	}
	return newline + 1
}

func (f *framer) endLine(text []byte) bool {
	switch f.phase {
	case phaseChunkEnd:
		f.phase = phaseChunkSize
		return len(text) == 0
	case phaseChunkSize:
		size, ok := wire.ChunkSize(text)
		f.left, f.trailer, f.phase = size, 0, phaseChunkData
		if size == 0 {
			f.phase = phaseTrailer
		}
		return ok
	default:
		f.trailer += len(text)
		if len(text) == 0 {
			f.phase = phaseHead
			return true
		}
		return f.trailer <= wire.HeadBytesMax && wire.FieldName(text) > 0
	}
}

func (f *framer) refuse(status int) {
	f.phase, f.status = phaseRefused, status
}
