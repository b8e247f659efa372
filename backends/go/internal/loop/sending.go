// Gets answers to the socket: the loop's output first, then what is left of a large body.

package loop

import (
	"syscall"
	"unsafe"
)

const (
	outputBytes = 256 << 10
	// outputFull leaves room for an answer that is not sent from where it lies.
	outputFull = outputBytes - 64<<10
	piecesMax  = 16
)

// flush sends until all is gone, or the socket takes no more, or fails; true when all is gone.
func (c *connection) flush() bool {
	w := c.worker
	text := w.output
	if c.pendingAt < len(c.pending) {
		text = c.pending[c.pendingAt:]
	}
	gone := c.send(text)
	switch {
	case c.pending != nil:
		if c.pendingAt += gone; c.pendingAt == len(c.pending) {
			c.pending, c.pendingAt = nil, 0
		}
	case gone < len(text) && !c.failed:
		c.pending = append([]byte(nil), text[gone:]...)
	}
	w.output = w.output[:0]
	clear(w.pieces[:]) // nothing keeps bodies alive
	if c.failed {
		return false
	}
	c.blocked = c.pending != nil || (c.exchange != nil && c.exchange.isSending())
	if c.blocked {
		c.watch(syscall.EPOLLOUT)
	}
	return !c.blocked
}

// send returns how much of the text is gone; how much of the body is gone the exchange knows.
func (c *connection) send(text []byte) (gone int) {
	for {
		pieces := c.gather(text[gone:])
		if len(pieces) == 0 {
			return gone
		}
		count, _, failed := syscall.Syscall(syscall.SYS_WRITEV, uintptr(c.descriptor),
			uintptr(unsafe.Pointer(&pieces[0])), uintptr(len(pieces)))
		switch failed {
		case 0:
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return gone
		default:
			c.failed = true
			return gone
		}
		ofText := min(int(count), len(text)-gone)
		gone += ofText
		if x := c.exchange; x != nil {
			x.at += int64(int(count) - ofText)
		}
	}
}

// gather describes what is left to be sent, or the begin of it. The description is the worker's.
func (c *connection) gather(text []byte) []syscall.Iovec {
	pieces := c.worker.pieces[:0]
	pieces = appendPiece(pieces, text)
	x := c.exchange
	switch {
	case x == nil || !x.isSending():
	case x.document != nil:
		pieces = appendPiece(pieces, x.document[x.at:x.end])
	default:
		for slice := range x.object.Range(x.at, x.end) {
			if len(pieces) == piecesMax {
				break
			}
			pieces = appendPiece(pieces, slice)
		}
	}
	return pieces
}

func appendPiece(pieces []syscall.Iovec, piece []byte) []syscall.Iovec {
	if len(piece) == 0 {
		return pieces
	}
	return append(pieces, syscall.Iovec{Base: &piece[0], Len: uint64(len(piece))})
}
