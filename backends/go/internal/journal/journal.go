// Package journal is the durable log of backends/LOG.md: one writer goroutine that owns it, and the
// recovery of what it has written.
package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"pausemark/go/internal/store"
)

// Mode is when a write is acknowledged.
type Mode string

// The modes of backends/LOG.md; with ram there is no journal.
const (
	RAM      Mode = "ram"
	Buffered Mode = "buffered"
	Interval Mode = "interval"
	Batch    Mode = "batch"
	Sync     Mode = "sync"
)

// Valid tells whether the mode is one of the five.
func (m Mode) Valid() bool {
	switch m {
	case RAM, Buffered, Interval, Batch, Sync:
		return true
	}
	return false
}

// What opening a journal and writing to it can meet.
var (
	ErrCorrupt = errors.New("corrupt")
	ErrFull    = errors.New("log or queue is full")
	ErrFailed  = errors.New("the log has failed")
	ErrClosed  = errors.New("the log is closed")
)

// SegmentBytesMin holds a header and the largest key and metadata.
const SegmentBytesMin = 4096

// queueRecordsPerThread bounds what waits for the writer.
const queueRecordsPerThread = 1024

// Settings are the flags of the log.
type Settings struct {
	Mode         Mode
	Directory    string
	SyncInterval time.Duration // of Interval
	SegmentBytes int64         // a multiple of 8
	LogBytesMax  int64
	Threads      int // each has 1024 places in the queue
}

// Journal is an open log. Write may be called from any goroutine.
type Journal struct {
	queue   *queue
	stop    chan struct{} // closed when the writer shall end
	stopped sync.Once
	ended   chan struct{} // closed by the writer when it has ended
	failure error         // why it ended by itself; read after ended
	lock    *os.File
}

// Open recovers the log into an empty store, and starts the writer. One line a notice.
func Open(settings Settings, into *store.Store, notices io.Writer) (*Journal, error) {
	lock, err := lockDirectory(settings.Directory)
	if err != nil {
		return nil, err
	}
	w, err := openWriter(settings, into, notices)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return start(w, lock, settings.Threads*queueRecordsPerThread), nil
}

func start(w *writer, lock *os.File, queueRecords int) *Journal {
	j := &Journal{queue: newQueue(queueRecords), stop: make(chan struct{}),
		ended: make(chan struct{}), lock: lock}
	go func() {
		defer close(j.ended)
		j.failure = w.run(j.queue, j.stop)
	}()
	return j
}

// lockDirectory makes the directory if need be and holds its lock until the file is closed.
func lockDirectory(directory string) (*os.File, error) {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(directory, "lock"), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	err = onDescriptor(lock, func(descriptor uintptr) error {
		return syscall.Flock(int(descriptor), syscall.LOCK_EX|syscall.LOCK_NB)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: expected a free lock, got: %w", lock.Name(), err), lock.Close())
	}
	return lock, nil
}

// Write returns when the write is as durable as the mode says and in the index, or why it is not.
func (j *Journal) Write(w *store.Write) error {
	return j.WriteAs(&Pending{}, w)
}

// WriteAs is Write in the memory of a pending write that nobody uses.
func (j *Journal) WriteAs(p *Pending, w *store.Write) error {
	if err := p.Prepare(w, nil); err != nil {
		return err
	}
	if _, refusal := j.queue.push(p); refusal != nil {
		return refusal
	}
	return <-p.done
}

// Begin hands a write on and returns what waits for its outcome; writes that one goroutine begins
// keep their order.
func (j *Journal) Begin(w *store.Write) (wait func() error) {
	p := &Pending{}
	err := p.Prepare(w, nil)
	if err == nil {
		_, err = j.queue.push(p)
	}
	if err != nil {
		return func() error { return err }
	}
	return func() error { return <-p.done }
}

// Hand hands on writes that were prepared for one inbox, which is told of those that are refused, too.
func (j *Journal) Hand(all []*Pending) {
	left, refusal := j.queue.push(all...)
	for _, p := range left {
		p.tell(refusal)
	}
	if len(left) > 0 {
		left[0].inbox.Wake()
	}
}

// Ended is closed when the writer has ended: by Close, or by a failure that Failure tells.
func (j *Journal) Ended() <-chan struct{} {
	return j.ended
}

// Failure waits for the writer's end and returns why it ended by itself, or nil.
func (j *Journal) Failure() error {
	<-j.ended
	return j.failure
}

// Close has the writer finish what is queued, waits for it, and lets the directory go.
func (j *Journal) Close() error {
	j.stopped.Do(func() { close(j.stop) })
	<-j.ended
	return errors.Join(j.failure, j.lock.Close())
}
