// Who owes bytes, the longest silent first.

package loop

import "time"

const (
	// stallTime ends a connection that stopped in the middle of a head or a body.
	stallTime = 30 * time.Second
	// lingerTime is the patience with who is to hang up.
	lingerTime = 2 * time.Second
)

// silence links connections in the order in which they last sent something.
type silence struct {
	connection     *connection // nil of the list itself
	previous, next *silence
	since          time.Time
}

func (s *silence) empty() {
	s.previous, s.next = s, s
}

func (s *silence) isEmpty() bool {
	return s.next == s
}

// begin puts the connection behind all others.
func (s *silence) begin(c *connection) {
	list := &c.worker.silent
	s.connection, s.since = c, c.worker.now
	s.previous, s.next = list.previous, list
	s.previous.next, s.next.previous = s, s
}

// end takes it out, if it is in.
func (s *silence) end() {
	if s.next == nil {
		return
	}
	s.previous.next, s.next.previous = s.next, s.previous
	s.previous, s.next = nil, nil
}

// endSilent closes connections whose time is up. Those that linger are among the others, but have less
// patience.
func (w *worker) endSilent() {
	for at := w.silent.next; at != &w.silent; {
		c, silent := at.connection, w.now.Sub(at.since)
		at = at.next
		if silent < lingerTime {
			return
		}
		if c.lingering || silent >= stallTime {
			c.close()
		}
	}
}
