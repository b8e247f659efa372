// The connection that the server reads from: bytes pass only after the framer approved them.

package gate

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ProgressTimeout ends a connection that stopped in the middle of a head or a body.
const ProgressTimeout = 30 * time.Second

// refusedRequest stands in for a request that must be refused: net/http takes it, the handler
// learns from Refusal that it is the one, and so the refusal is answered in its turn, in full.
const refusedRequest = "GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n"

const bufferBytesFirst = 4 << 10

// Conn passes on what its framer approves. One goroutine reads at a time (net/http sees to that).
type Conn struct {
	net.Conn
	framer framer
	buffer []byte
	start  int // buffer[start:passed] is approved and waits for the reader
	passed int
	end    int // buffer[passed:end] waits for the framer

	refused atomic.Int64 // number of the request that is the stand-in; 0 is none
	status  atomic.Int64
	broken  atomic.Bool
	served  int64 // requests that the handler has seen; its goroutine's own

	deadlines sync.Mutex
	wanted    time.Time // what net/http set last
	set       time.Time // what the socket has
	armed     bool      // whether that is our own limit
	reading   bool      // whether the socket is being read, so that a deadline must reach it at once
}

type contextKey struct{}

// NewContext is http.Server.ConnContext: it lets handlers find their connection's gate.
func NewContext(parent context.Context, conn net.Conn) context.Context {
	return context.WithValue(parent, contextKey{}, conn)
}

// Refusal counts the request that is being handled; its status is not 0 when the gate refused it.
// Call it exactly once a request of HTTP/1.1.
func Refusal(ctx context.Context) int {
	conn, ok := ctx.Value(contextKey{}).(*Conn)
	if !ok {
		return 0
	}
	conn.served++
	if conn.served != conn.refused.Load() {
		return 0
	}
	return int(conn.status.Load())
}

// Broken tells whether the body of the request that is being handled was framed wrongly, which is not
// the same as a client that went away.
func Broken(ctx context.Context) bool {
	conn, ok := ctx.Value(contextKey{}).(*Conn)
	return ok && conn.broken.Load()
}

// Read implements net.Conn.
func (c *Conn) Read(into []byte) (int, error) {
	for {
		if c.start < c.passed {
			count := copy(into, c.buffer[c.start:c.passed])
			c.start += count
			return count, nil
		}
		if c.framer.phase == phaseBroken {
			return 0, io.ErrUnexpectedEOF
		}
		if c.framer.phase == phaseRefused {
			return 0, io.EOF
		}
		if c.framer.phase == phaseHTTP2 && c.passed == c.end {
			return c.read(into, false)
		}
		if c.framer.phase == phaseLength && c.passed == c.end {
			count, err := c.readBody(into)
			return count, err
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
}

// readBody reads a plain body without a copy in between.
func (c *Conn) readBody(into []byte) (int, error) {
	count, err := c.read(into[:min(int64(len(into)), c.framer.left)], true)
	c.framer.takeBody(into[:count])
	c.giveUp(err)
	return count, err
}

// fill reads once and lets the framer look.
func (c *Conn) fill() error {
	c.makeRoom()
	halfway := c.passed < c.end || (c.framer.phase != phaseHead && c.framer.phase != phasePreface)
	count, err := c.read(c.buffer[c.end:], halfway)
	c.end += count
	c.passed += c.approve(c.buffer[c.passed:c.end])
	if count > 0 {
		return nil // an error comes again with the next read
	}
	c.giveUp(err)
	return err
}

// giveUp ends the connection's input when our own limit has passed, so that nobody waits again.
func (c *Conn) giveUp(err error) {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	if c.armed {
		c.framer.phase = phaseBroken
	}
}

// approve lets the framer judge data, and puts the stand-in where it refused a request.
func (c *Conn) approve(data []byte) int {
	passed := c.framer.advance(data)
	if c.framer.phase == phaseBroken {
		c.broken.Store(true)
	}
	if c.framer.phase != phaseRefused {
		return passed
	}
	c.status.Store(int64(c.framer.status))
	c.refused.Store(c.framer.heads + 1)
	c.end = c.passed + passed
	c.buffer = append(c.buffer[:c.end], refusedRequest...)
	c.end = len(c.buffer)
	return passed + len(refusedRequest)
}

func (c *Conn) makeRoom() {
	if c.buffer == nil {
		c.buffer = make([]byte, bufferBytesFirst)
	}
	if c.start > 0 {
		c.end = copy(c.buffer, c.buffer[c.passed:c.end])
		c.start, c.passed = 0, 0
	}
	if c.end == len(c.buffer) {
		larger := make([]byte, 2*len(c.buffer))
		copy(larger, c.buffer[:c.end])
		c.buffer = larger
	}
}

// read reads the socket once, by net/http's deadline, or within our own limit where there is none and the
// client is in the middle of something.
func (c *Conn) read(into []byte, halfway bool) (int, error) {
	if err := c.begin(halfway); err != nil {
		return 0, err
	}
	count, err := c.Conn.Read(into)
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	c.reading = false
	return count, err
}

// begin brings the deadline to the socket. Where it has passed already nobody is to be asked: net/http
// begins a read in the background with every request without a body, and mostly interrupts it before it ran.
func (c *Conn) begin(halfway bool) error {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	deadline := c.wanted
	c.armed = halfway && deadline.IsZero()
	if !deadline.IsZero() && !deadline.After(time.Now()) {
		return os.ErrDeadlineExceeded
	}
	if c.armed {
		deadline = time.Now().Add(ProgressTimeout)
	}
	if err := c.apply(deadline); err != nil {
		return err
	}
	c.reading = true
	return nil
}

func (c *Conn) apply(deadline time.Time) error {
	if c.set.Equal(deadline) {
		return nil
	}
	c.set = deadline
	return c.Conn.SetReadDeadline(deadline)
}

// SetReadDeadline implements net.Conn: net/http's wish stands above our own limit, because it
// interrupts its background read by a deadline in the past. Without a read, it waits for the next.
func (c *Conn) SetReadDeadline(deadline time.Time) error {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	c.wanted = deadline
	if !c.reading {
		return nil
	}
	c.armed = false
	return c.apply(deadline)
}

// SetDeadline implements net.Conn; both ways.
func (c *Conn) SetDeadline(deadline time.Time) error {
	if err := c.Conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	return c.SetReadDeadline(deadline)
}

// CloseWrite lets net/http end its side first, so that a last answer is not lost to a reset.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Listener wraps every accepted connection in a gate.
type Listener struct {
	net.Listener
	HTTP2 bool // whether a client may speak HTTP/2
}

// Accept implements net.Listener.
func (l Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	gated := &Conn{Conn: conn}
	if l.HTTP2 {
		gated.framer.phase = phasePreface
	}
	return gated, nil
}
