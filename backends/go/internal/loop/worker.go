// An event loop: accepts, serves, fetches what the log has done, ends what is silent too long.

package loop

import (
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"pausemark/go/internal/journal"
	"pausemark/go/internal/s3"
	"pausemark/go/internal/wire"
)

const (
	inputBytes = 64 << 10
	// exchangesKeptMax bounds the memory that a crowd leaves behind.
	exchangesKeptMax = 256
)

// worker is one loop. But for stop, kill and what the log gives back, all is its own.
type worker struct {
	*poller
	handler  *s3.Handler
	listener int
	spare    int // given up when descriptors run out
	notices  io.Writer

	connections []*connection // by descriptor
	open        int
	generation  int32
	free        []*exchange
	silent      silence
	now         time.Time
	input       []byte
	output      []byte
	pieces      [piecesMax + 1]syscall.Iovec

	isAlone    bool // no processor is left beside the loops'
	isStopping bool
	stop, kill atomic.Bool
	owed       atomic.Bool // whether the clock matters

	waiting  int                // exchanges that the log or goroutines have
	drafts   []*journal.Pending // of this round
	mutex    sync.Mutex
	answered []*exchange
	fetched  []*exchange // the loop's, in turn with answered
}

func newWorker(handler *s3.Handler, listener int, notices io.Writer) (*worker, error) {
	opened, err := openPoller()
	if err != nil {
		return nil, err
	}
	w := &worker{poller: opened, handler: handler, listener: listener, notices: notices, now: time.Now(),
		input: make([]byte, inputBytes+wire.HeadBytesMax), output: make([]byte, 0, outputBytes)}
	w.silent.empty()
	if w.spare, err = syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0); err != nil {
		w.spare = -1
	}
	if err := w.add(listener, 0); err != nil {
		return nil, fmt.Errorf("listener: %w", err)
	}
	return w, nil
}

// run serves until it is stopped and nothing is in flight any more, or killed.
func (w *worker) run() error {
	for !w.kill.Load() && (!w.isStopping || w.open > 0 || w.waiting > 0) {
		events, err := w.wait()
		if err != nil {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		w.now = time.Now()
		wasStopping := w.isStopping
		for at := range events {
			w.dispatch(&events[at])
		}
		w.fetch()
		w.hand()
		w.endSilent()
		if wasStopping {
			w.closeIdle() // a round after the stop: what was on its way has been read
		} else if w.stop.Load() {
			w.beginStop()
		}
		w.owed.Store(!w.silent.isEmpty())
		if w.isAlone && w.waiting > 0 {
			runtime.Gosched() // the log's writer needs this processor
		}
	}
	w.end()
	return nil
}

func (w *worker) dispatch(event *syscall.EpollEvent) {
	switch descriptor := int(event.Fd); {
	case descriptor == w.wakes:
		w.slept()
	case descriptor == w.listener:
		if !w.isStopping {
			w.acceptAll()
		}
	default:
		// An event of this round may be of a connection that was closed in it.
		if c := w.connections[descriptor]; c != nil && c.generation == event.Pad {
			c.onEvent(event.Events)
		}
	}
}

func (w *worker) acceptAll() {
	for range eventsMax {
		descriptor, _, err := syscall.Accept4(w.listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		switch err {
		case nil:
			w.welcome(descriptor)
		case syscall.EMFILE, syscall.ENFILE:
			if !w.shed() {
				return
			}
		case syscall.EINTR, syscall.ECONNABORTED:
		default:
			return
		}
	}
}

func (w *worker) welcome(descriptor int) {
	_ = syscall.SetsockoptInt(descriptor, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) // it is gone already, then
	w.generation++
	c := &connection{worker: w, descriptor: descriptor, generation: w.generation, watched: syscall.EPOLLIN}
	if w.add(descriptor, c.generation) != nil {
		_ = syscall.Close(descriptor) // nothing was written to it
		return
	}
	for len(w.connections) <= descriptor {
		w.connections = append(w.connections, nil)
	}
	w.connections[descriptor] = c
	w.open++
}

// forget closes a connection's socket.
func (w *worker) forget(c *connection) {
	_ = syscall.Close(c.descriptor) // what it could tell has been told by reading and writing
	w.connections[c.descriptor] = nil
	w.open--
}

// shed takes a connection with the spare descriptor and ends it, or the listener would stay readable and
// the loop spin. It tells whether somebody waited, which Accept4 does not tell then.
func (w *worker) shed() bool {
	if w.spare < 0 {
		return false
	}
	_ = syscall.Close(w.spare) // it was only read
	descriptor, _, absent := syscall.Accept4(w.listener, syscall.SOCK_CLOEXEC)
	if absent == nil {
		_ = syscall.Close(descriptor) // nothing was written to it
		fmt.Fprintln(w.notices, "connection refused: out of file descriptors")
	}
	var err error
	if w.spare, err = syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0); err != nil {
		w.spare = -1
	}
	return absent == nil
}

// commit leaves the exchange's write to the end of the round: all of them become one batch.
func (w *worker) commit(x *exchange) {
	x.out = &x.own
	draft, err := w.handler.Draft(&x.Exchange, w, x)
	x.waiting, x.committing = true, true
	w.waiting++
	if err != nil {
		w.Committed(draft, err)
		w.Wake()
		return
	}
	w.drafts = append(w.drafts, draft)
}

// hand hands the round's writes on.
func (w *worker) hand() {
	if len(w.drafts) > 0 {
		w.handler.Hand(w.drafts)
		clear(w.drafts)
		w.drafts = w.drafts[:0]
	}
}

// Committed implements journal.Inbox.
func (w *worker) Committed(draft *journal.Pending, err error) {
	x, _ := draft.Owner.(*exchange)
	x.outcome = err
	w.giveBack(x)
}

// Wake implements journal.Inbox.
func (w *worker) Wake() {
	w.wake()
}

func (w *worker) giveBack(x *exchange) {
	w.mutex.Lock()
	w.answered = append(w.answered, x)
	w.mutex.Unlock()
}

// waitFor has a goroutine finish the exchange, and give it back.
func (w *worker) waitFor(x *exchange) {
	x.waiting, x.out = true, &x.own
	w.waiting++
	go func() {
		w.handler.Finish(&x.Exchange)
		w.giveBack(x)
		w.wake()
	}()
}

// fetch takes back what the log is done with.
func (w *worker) fetch() {
	if w.waiting == 0 {
		return
	}
	w.mutex.Lock()
	w.fetched, w.answered = w.answered, w.fetched[:0]
	w.mutex.Unlock()
	for at, x := range w.fetched {
		w.fetched[at] = nil
		w.waiting--
		if x.committing {
			x.committing = false
			w.handler.End(&x.Exchange, x.outcome)
		}
		if c := x.connection; c.descriptor >= 0 {
			c.onAnswered()
		} else {
			c.exchange = nil
			w.giveExchange(x)
		}
	}
}

func (w *worker) takeExchange(c *connection) *exchange {
	var x *exchange
	if last := len(w.free) - 1; last >= 0 {
		x, w.free = w.free[last], w.free[:last]
	} else {
		x = newExchange()
	}
	x.connection, x.out = c, &w.output
	return x
}

func (w *worker) giveExchange(x *exchange) {
	x.reset() // it may hold an object
	if len(w.free) < exchangesKeptMax {
		w.free = append(w.free, x)
	}
}

// beginStop takes who is in the backlog, who may have asked, and nobody else.
func (w *worker) beginStop() {
	w.acceptAll()
	w.isStopping = true
	w.remove(w.listener)
}

func (w *worker) closeIdle() {
	for _, c := range w.connections {
		if c != nil && c.isIdle() {
			c.close()
		}
	}
}

func (w *worker) end() {
	for _, c := range w.connections {
		if c != nil {
			c.close()
		}
	}
	if w.spare >= 0 {
		_ = syscall.Close(w.spare) // it was only read
	}
	w.awake.Store(true) // the log may end later, and shall not write to what is closed by then
}
