// The writer: batches, conditions, the sync, and the index, all in the order of the log.

package journal

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"pausemark/go/internal/store"
)

const (
	batchRecordsMax = 64
	batchBytesMax   = 256 << 10
	partsPerRecord  = 4 // fixed part, key and metadata, data, fill; a multipart object has more

	// turnTime bounds how long the writer goes without the scheduler. After 10 ms the runtime takes the processor
	// from a goroutine, out of a sync as well, and then looks for more to take every 20 us for some milliseconds.
	turnTime = 5 * time.Millisecond
)

// writer is owned by one goroutine; nothing of it is shared.
type writer struct {
	settings Settings
	store    *store.Store
	maker    *maker
	current  *segment // nil until the first segment of a new log
	nextLSN  uint64
	durable  uint64 // every record up to this one is synced
	total    int64  // bytes of all segments, and of the one that is being made
	full     time.Time
	gaveWay  time.Time

	batch   []*Pending
	bytes   int64 // of the batch, with fill
	buckets int   // writes of the batch that create or delete a bucket
	carried *Pending
	taken   []*Pending // out of the queue, and not looked at
	room    [batchRecordsMax]*Pending
	told    []Inbox // since they were woken
	heads   [batchRecordsMax][recordHeadBytes]byte
	parts   [batchRecordsMax * partsPerRecord]syscall.Iovec

	// What a test replaces to see the device fail.
	sync  func(*os.File) error
	write func(*os.File, []syscall.Iovec, int64) error
}

// run serves the queue until it is told to stop and nothing waits, or until the log fails.
func (w *writer) run(from *queue, stop <-chan struct{}) error {
	err := w.serve(from, stop)
	refusal := ErrClosed
	if err != nil {
		refusal = ErrFailed
		w.answer(ErrFailed)
		w.refuse(w.taken, ErrFailed)
	} else if w.settings.Mode == Interval {
		err = w.syncCurrent()
	}
	w.refuse(from.end(refusal), refusal)
	return errors.Join(err, w.close())
}

func (w *writer) serve(from *queue, stop <-chan struct{}) error {
	var tick <-chan time.Time
	if w.settings.Mode == Interval {
		ticker := time.NewTicker(w.settings.SyncInterval)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		for w.next(from) {
			if err := w.serveBatch(from, tick); err != nil {
				return err
			}
		}
		select {
		case <-from.ready:
			// Whoever is ready asks first, or a writer that is always next would make a batch of each write.
			runtime.Gosched()
		case <-tick:
			if err := w.syncCurrent(); err != nil {
				return err
			}
		case <-stop:
			if from.isEmpty() {
				return nil
			}
		}
	}
}

// next makes the next write that has come the carried one; false when there is none.
func (w *writer) next(from *queue) bool {
	if w.carried != nil {
		return true
	}
	if len(w.taken) == 0 {
		if w.taken = from.pop(w.room[:0]); len(w.taken) == 0 {
			return false
		}
	}
	w.carried, w.taken[0] = w.taken[0], nil
	w.taken = w.taken[1:]
	return true
}

// serveBatch commits a batch that begins with the carried write. A queue that is never empty must
// not keep the interval's sync from its turn.
func (w *writer) serveBatch(from *queue, tick <-chan time.Time) error {
	if err := w.gather(from); err != nil {
		return err
	}
	if err := w.commit(); err != nil {
		return err
	}
	w.wakeAll()
	w.giveWay()
	select {
	case <-tick:
		return w.syncCurrent()
	default:
		return nil
	}
}

// giveWay begins another turn of the scheduler's when this one has lasted long enough.
func (w *writer) giveWay() {
	if now := time.Now(); now.Sub(w.gaveWay) >= turnTime {
		w.gaveWay = now
		runtime.Gosched()
	}
}

// gather fills the batch until a limit, a write that must start the next one, or an empty queue. It
// looks at no more writes than a batch can hold, so that refusals cannot keep a batch waiting.
func (w *writer) gather(from *queue) error {
	for range batchRecordsMax {
		admitted, err := w.admit(w.carried)
		if err != nil || !admitted {
			return err // after an error the carried write is answered with the batch
		}
		w.carried = nil
		if w.settings.Mode == Sync && len(w.batch) > 0 {
			return nil
		}
		if !w.next(from) {
			return nil
		}
	}
	return nil
}

// admit puts a write into the batch, or answers it at once; false when it must start the next batch.
// Only a log that failed is an error.
func (w *writer) admit(p *Pending) (bool, error) {
	length := p.draft.bytes()
	if len(w.batch) > 0 && (w.dependsOnBatch(p.write) || len(w.batch) == batchRecordsMax ||
		w.bytes+padded(length) > batchBytesMax) {
		return false, nil
	}
	changes, err := w.store.Judge(p.write)
	if err != nil || (!changes && !w.touchedByBatch(p.write)) {
		w.tell(p, err)
		return true, nil
	}
	if w.current == nil || w.current.offset+w.bytes+padded(length) > w.current.size {
		if len(w.batch) > 0 {
			return false, nil // the batch goes into its segment, this record into the next
		}
		err := w.roll(length)
		if errors.Is(err, ErrFull) {
			w.tell(p, ErrFull)
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	w.batch = append(w.batch, p)
	w.bytes += padded(length)
	if p.write.OnBucket() {
		w.buckets++
	}
	return true, nil
}

// dependsOnBatch tells whether a condition of the write is decided by a write of the batch, which is
// not in the index yet.
func (w *writer) dependsOnBatch(next *store.Write) bool {
	switch {
	case next.Operation == store.CreateBucket && w.buckets > 0: // there may be one place left
		return true
	case next.OnBucket():
		for _, p := range w.batch {
			if p.write.Bucket == next.Bucket {
				return true
			}
		}
		return false
	case next.Condition.IsAsked() && w.touchedByBatch(next):
		return true
	case w.buckets == 0:
		return false
	}
	for _, p := range w.batch {
		if p.write.OnBucket() && p.write.Bucket == next.Bucket {
			return true
		}
	}
	return false
}

// touchedByBatch tells whether the batch holds a write of the same key.
func (w *writer) touchedByBatch(next *store.Write) bool {
	for _, p := range w.batch {
		if p.write.Key == next.Key && p.write.Bucket == next.Bucket {
			return true
		}
	}
	return false
}

// commit writes the batch, syncs as the mode says, applies it in order, and wakes who waits.
func (w *writer) commit() error {
	if len(w.batch) == 0 {
		return nil
	}
	if err := w.write(w.current.file, w.seal(), w.current.offset); err != nil {
		return fmt.Errorf("%s: expected the write to succeed, got %w", w.current.name, err)
	}
	clear(w.parts[:]) // nothing keeps bodies alive
	w.current.offset += w.bytes
	w.nextLSN += uint64(len(w.batch))
	if w.settings.Mode == Batch || w.settings.Mode == Sync {
		if err := w.syncCurrent(); err != nil {
			return err
		}
	}
	for _, p := range w.batch {
		if err := w.store.Apply(p.write); err != nil {
			return fmt.Errorf("%s: a write that was judged could not be applied: %w", w.current.name, err)
		}
	}
	w.answer(nil)
	w.prepareAhead()
	return nil
}

// seal stamps the batch's records and lists their parts for one pwritev.
func (w *writer) seal() []syscall.Iovec {
	parts := w.parts[:0]
	add := func(bytes []byte) {
		if len(bytes) > 0 {
			parts = append(parts, syscall.Iovec{Base: &bytes[0], Len: uint64(len(bytes))})
		}
	}
	for at, p := range w.batch {
		p.seal(&w.heads[at], stamp{w.nextLSN + uint64(at), w.durable, w.current.epoch})
		add(w.heads[at][:])
		add(p.names)
		add(p.data)
		for _, part := range p.rest {
			add(part)
		}
		length := p.draft.bytes()
		add(zeros[:padded(length)-length])
	}
	return parts
}

// answer gives the batch, and after a failure the write that was carried over, its outcome.
func (w *writer) answer(err error) {
	for _, p := range w.batch {
		w.tell(p, err)
	}
	clear(w.batch)
	w.batch, w.bytes, w.buckets = w.batch[:0], 0, 0
	if err != nil && w.carried != nil {
		w.tell(w.carried, err)
		w.carried = nil
	}
}

func (w *writer) refuse(all []*Pending, refusal error) {
	for _, p := range all {
		w.tell(p, refusal)
	}
	w.wakeAll()
}

// tell gives one write its outcome, behind which nothing of it is the writer's any more.
func (w *writer) tell(p *Pending, err error) {
	if p.inbox != nil && !slices.Contains(w.told, p.inbox) {
		w.told = append(w.told, p.inbox)
	}
	p.tell(err)
}

// wakeAll wakes each inbox that was told something, once.
func (w *writer) wakeAll() {
	for _, inbox := range w.told {
		inbox.Wake()
	}
	clear(w.told)
	w.told = w.told[:0]
}

// syncCurrent makes every record durable: the segments before the current one were synced when they
// were left.
func (w *writer) syncCurrent() error {
	if w.durable == w.nextLSN-1 {
		return nil
	}
	if err := w.sync(w.current.file); err != nil {
		return fmt.Errorf("%s: expected the sync to succeed, got %w", w.current.name, err)
	}
	w.durable = w.nextLSN - 1
	return nil
}
