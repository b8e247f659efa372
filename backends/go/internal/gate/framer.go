// Package gate reads the framing of requests before net/http does, because net/http settles silently
// what the contract refuses: a bare LF, a length beside a transfer coding, a head without a limit of
// its own, and a sender that stops halfway.
package gate

import (
	"bytes"
	"net/http"
)

// HeadBytesMax is the limit of a request line and its headers together.
const HeadBytesMax = 16 << 10

// lineBytesMax limits a chunk's size line and each trailer line.
const lineBytesMax = 1 << 10

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
)

// framer follows one connection's requests from boundary to boundary. Bytes that it approves are
// framed as net/http will frame them; after phaseRefused and phaseBroken it approves none.
type framer struct {
	phase   phase
	left    int64 // bytes of body or chunk still to come
	trailer int   // bytes of trailers seen
	status  int   // why phaseRefused
	heads   int64 // heads approved so far
	head    headFacts
}

// advance returns how many bytes from the start of data may pass. Fewer than all means that the
// rest is an unfinished line or head: call again with the same rest and more behind it.
func (f *framer) advance(data []byte) int {
	passed := 0
	for {
		rest := data[passed:]
		step := 0
		switch f.phase {
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
			if len(data) > HeadBytesMax {
				f.refuse(http.StatusRequestHeaderFieldsTooLarge)
			}
			return 0
		}
		line := data[f.head.lineStart : f.head.lineStart+newline]
		next := f.head.lineStart + newline + 1
		if next > HeadBytesMax {
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
	f.head = headFacts{}
	if !facts.complete() {
		f.refuse(http.StatusBadRequest)
		return 0
	}
	f.heads++
	switch {
	case facts.chunked:
		f.phase = phaseChunkSize
	case facts.length > 0:
		f.phase, f.left = phaseLength, facts.length
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
		if len(data) > lineBytesMax {
			f.phase = phaseBroken
		}
		return 0
	}
	text, terminated := bytes.CutSuffix(data[:newline], []byte{'\r'})
	if !terminated || len(text) > lineBytesMax || bytes.IndexByte(text, '\r') >= 0 {
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
		size, ok := chunkSize(text)
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
		return f.trailer <= HeadBytesMax && fieldName(text) > 0
	}
}

func (f *framer) refuse(status int) {
	f.phase, f.status = phaseRefused, status
}

// chunkSize reads `1f` or `1f;extension`; 15 digits hold every size that can be meant.
func chunkSize(text []byte) (int64, bool) {
	digits, _, _ := bytes.Cut(text, []byte{';'})
	if len(digits) == 0 || len(digits) > 15 {
		return 0, false
	}
	size := int64(0)
	for _, digit := range digits {
		value := bytes.IndexByte([]byte("0123456789abcdef"), digit|0x20)
		if value < 0 || digit < '0' {
			return 0, false
		}
		size = size<<4 | int64(value)
	}
	return size, true
}
