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
	queue   chan *pending
	stop    chan struct{} // closed when the writer shall end
	stopped sync.Once
	ended   chan struct{} // closed by the writer when it has ended
	failure error         // why it ended by itself; read after ended
	lock    *os.File
}

// pending is a write that waits for the writer.
type pending struct {
	draft
	done chan error // holds one, so that the writer never waits
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
	j := &Journal{queue: make(chan *pending, queueRecords), stop: make(chan struct{}),
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
	wait := j.Begin(w)
	return wait()
}

// Begin hands a write on and returns what waits for its outcome; writes that one goroutine begins
// keep their order.
func (j *Journal) Begin(w *store.Write) (wait func() error) {
	made, err := newDraft(w)
	if err != nil {
		return func() error { return err }
	}
	p := &pending{made, make(chan error, 1)}
	select {
	case <-j.ended:
		return j.endError
	default:
	}
	select {
	case j.queue <- p:
		return func() error { return j.await(p) }
	default:
		return func() error { return ErrFull }
	}
}

func (j *Journal) await(p *pending) error {
	select {
	case err := <-p.done:
		return err
	case <-j.ended:
	}
	select {
	case err := <-p.done: // it came before the end
		return err
	default:
		return j.endError()
	}
}

func (j *Journal) endError() error {
	if j.failure != nil {
		return ErrFailed
	}
	return ErrClosed
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
