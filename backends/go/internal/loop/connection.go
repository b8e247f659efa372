// The life of a connection: input to heads and bodies, answers out, limits on silence.

package loop

import (
	"net/http"
	"syscall"

	"pausemark/go/internal/s3"
)

// connection is its loop's alone.
type connection struct {
	worker     *worker
	descriptor int // -1 when it is closed
	generation int32
	watched    uint32    // what epoll reports beside errors
	exchange   *exchange // while a request is in progress
	kept       []byte    // input that is not consumed yet
	pending    []byte    // output that the socket did not take
	pendingAt  int
	closing    bool // no request is read any more
	blocked    bool // the socket takes no more output
	lingering  bool // all is said; what still comes is read past
	failed     bool
	answered   bool // the log is done, and the answer waits for the output to clear
	silence    silence
}

// isIdle tells whether nothing is owed in either direction.
func (c *connection) isIdle() bool {
	return c.exchange == nil && !c.blocked && len(c.kept) == 0
}

func (c *connection) isWaiting() bool {
	return c.exchange != nil && c.exchange.waiting
}

func (c *connection) isClosing() bool {
	return c.closing || (c.exchange != nil && c.exchange.Closing)
}

// wantsBody tells whether somebody has a use for the body that is still to come.
func (c *connection) wantsBody() bool {
	return c.exchange != nil && c.exchange.inBody && c.exchange.feeding
}

func (c *connection) watch(events uint32) {
	if c.watched == events {
		return
	}
	c.watched = events
	if c.worker.poller.change(c.descriptor, c.generation, events) != nil {
		c.failed = true
	}
}

// onEvent is called with what epoll reports.
func (c *connection) onEvent(events uint32) {
	const ended = syscall.EPOLLERR | syscall.EPOLLHUP
	switch {
	case c.isWaiting() && !c.blocked:
		if events&ended != 0 { // the log is waited for all the same
			c.close()
		} else {
			c.watch(0) // most send nothing meanwhile, and pay no system call for that
		}
	case c.blocked && events&(syscall.EPOLLOUT|ended) != 0:
		c.onOutput()
	case events&(syscall.EPOLLIN|ended) != 0:
		c.onInput()
	}
}

func (c *connection) onInput() {
	if c.readsStraight() {
		c.readStraight()
		return
	}
	w := c.worker
	kept := copy(w.input, c.kept)
	count, err := syscall.Read(c.descriptor, w.input[kept:kept+inputBytes])
	switch {
	case err == syscall.EAGAIN, err == syscall.EINTR:
	case err != nil, count == 0: // a body that stops short is not stored
		c.close()
	case !c.lingering:
		c.process(kept + count)
	}
}

// readsStraight tells whether more of a body is to come than the input holds, so that it is worth a read of
// its own: to where it will lie.
func (c *connection) readsStraight() bool {
	return c.wantsBody() && len(c.kept) == 0 && c.exchange.coded.state == inLength &&
		c.exchange.coded.left > inputBytes
}

func (c *connection) readStraight() {
	x := c.exchange
	into := x.Space()
	if int64(len(into)) > x.coded.left {
		into = into[:x.coded.left]
	}
	if len(into) < inputBytes { // a line is next, or a chunk's end
		into = c.worker.input[:inputBytes]
	}
	count, err := syscall.Read(c.descriptor, into)
	switch {
	case err == syscall.EAGAIN, err == syscall.EINTR:
	case err != nil, count == 0:
		c.close()
	case &into[0] == &c.worker.input[0]:
		c.process(count)
	default:
		x.Filled(count)
		if x.came(count) {
			c.endBody()
		}
		c.process(0)
	}
}

// onOutput goes on where the socket took no more.
func (c *connection) onOutput() {
	switch {
	case !c.flush():
		if c.failed {
			c.close()
		}
	case c.answered:
		c.resume()
	default:
		c.goOn()
	}
}

// goOn works through the input that was kept.
func (c *connection) goOn() {
	c.releaseIfDone()
	c.process(copy(c.worker.input, c.kept))
}

// onAnswered is called when the log is done, and the answer lies in the exchange's own memory.
func (c *connection) onAnswered() {
	c.answered = true
	if !c.blocked {
		c.resume()
	}
}

// resume sends what the goroutine has answered; then the requests behind it have their turn.
func (c *connection) resume() {
	x := c.exchange
	c.answered, x.waiting, x.feeding = false, false, false
	c.worker.output = append(c.worker.output, x.own...)
	if x.isSending() && !c.flush() {
		if c.failed {
			c.close()
		}
		return
	}
	c.goOn()
}

// process works through the first bytes of the worker's input, which are this connection's.
func (c *connection) process(size int) {
	w := c.worker
	at := c.consume(w.input[:size])
	if len(w.output) > 0 && !c.failed {
		c.flush() // blocked and failed say how it went
	}
	if c.failed {
		w.output = w.output[:0]
		c.close()
		return
	}
	c.keep(w.input[at:size])
	switch {
	case c.isWaiting():
		c.silence.end()
	case c.blocked:
		c.silence.end()
	default:
		c.releaseIfDone()
		c.settle()
	}
	if c.failed {
		c.close()
	}
}

// keep copies what was not consumed; a connection that owes nothing holds no buffer.
func (c *connection) keep(rest []byte) {
	if len(rest) == 0 {
		c.kept = nil
		return
	}
	c.kept = append(c.kept[:0], rest...)
}

// consume works through the input until it is used up, incomplete, waits for the log, or the output blocks.
func (c *connection) consume(input []byte) (at int) {
	for at < len(input) && !c.isWaiting() {
		if c.isClosing() && !c.wantsBody() {
			return len(input)
		}
		used := 0
		if c.exchange != nil && c.exchange.inBody {
			used = c.takeBody(input[at:])
		} else {
			used = c.takeHead(input[at:])
		}
		at += used
		large := c.exchange != nil && c.exchange.isSending()
		if (large || len(c.worker.output) > outputFull) && !c.flush() {
			return at
		}
		c.releaseIfDone()
		if used == 0 {
			return at
		}
	}
	return at
}

// takeHead returns how many bytes were consumed; 0 asks for more.
func (c *connection) takeHead(input []byte) int {
	if input[0] == '\r' { // RFC 9112, section 2.2: an empty line before a request is ignored
		if len(input) == 1 {
			return 0
		}
		if input[1] == '\n' {
			return 2
		}
	}
	size, status := scanHead(input)
	switch {
	case status != 0:
		c.exchange = c.worker.takeExchange(c)
		c.refuse(status)
		return len(input)
	case size > 0:
		c.takeRequest(input[:size])
	}
	return size
}

func (c *connection) takeRequest(head []byte) {
	x := c.worker.takeExchange(c)
	c.exchange = x
	if !x.readHead(head) {
		c.refuse(http.StatusBadRequest)
		return
	}
	switch c.worker.handler.Begin(&x.Exchange) {
	case s3.Ready:
		c.finish()
	case s3.WantsBody:
		x.feeding = true
		if !x.inBody {
			c.finish()
		} else if x.Request.Expects100() {
			c.worker.output = append(c.worker.output, "HTTP/1.1 100 Continue\r\n\r\n"...)
		}
	}
}

func (c *connection) takeBody(input []byte) int {
	used, state := c.exchange.takeBody(input)
	switch state {
	case bodyEnds:
		c.endBody()
	case bodyIsRefused:
		c.refuse(http.StatusBadRequest)
	case bodyIsBad:
		if c.exchange.feeding {
			c.refuse(http.StatusBadRequest)
		}
		c.exchange.Closing, c.exchange.inBody = true, false
	}
	return used
}

func (c *connection) endBody() {
	c.exchange.inBody = false
	if c.exchange.feeding {
		c.finish()
	}
}

// finish has the exchange answered: now, when the log's writer is done with its write, or by a goroutine
// where more than one write may have to be waited for.
func (c *connection) finish() {
	x := c.exchange
	switch h := c.worker.handler; {
	case h.Waits(&x.Exchange):
		c.worker.waitFor(x)
	case !h.HasLog():
		h.Finish(&x.Exchange)
		x.feeding = false
	case h.Prepare(&x.Exchange):
		c.worker.commit(x)
	default:
		x.feeding = false
	}
}

// refuse answers what is no HTTP, and ends the connection.
func (c *connection) refuse(status int) {
	x := c.exchange
	x.Closing, x.headOnly, x.inBody, x.feeding = true, false, false, false
	c.worker.handler.Refuse(&x.Exchange, status)
}

func (c *connection) releaseIfDone() {
	x := c.exchange
	if x == nil || x.inBody || x.waiting || x.isSending() {
		return
	}
	c.closing = c.closing || x.Closing
	c.exchange = nil
	c.worker.giveExchange(x)
}

// settle says what the connection is to wait for when all that could be done is done.
func (c *connection) settle() {
	switch owes := c.exchange != nil || len(c.kept) > 0; {
	case c.isClosing() && !c.wantsBody():
		// With the answer out, a body that still comes is nobody's: close rather than read it.
		c.linger()
	case c.worker.isStopping && !owes:
		c.close()
	default:
		c.silence.end()
		if owes {
			c.silence.begin(c)
		}
		c.watch(syscall.EPOLLIN)
	}
}

// linger says that nothing more comes, and then reads what the peer still sends, so that a reset does not
// destroy the answer on its way.
func (c *connection) linger() {
	if syscall.Shutdown(c.descriptor, syscall.SHUT_WR) != nil {
		c.close()
		return
	}
	c.lingering = true
	c.silence.end()
	c.silence.begin(c)
	c.watch(syscall.EPOLLIN)
}

// close ends the connection; an exchange that waits for the log stays until that is done.
func (c *connection) close() {
	if c.descriptor < 0 {
		return
	}
	c.silence.end()
	c.worker.forget(c)
	c.descriptor, c.kept, c.pending = -1, nil, nil
	if x := c.exchange; x != nil && !x.waiting {
		c.exchange = nil
		c.worker.handler.Abandon(&x.Exchange)
		c.worker.giveExchange(x)
	}
}
