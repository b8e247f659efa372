// What waits for the writer: a bounded ring that whole lists of writes enter at once.

package journal

import "sync"

// queue is filled by any goroutine and emptied by the writer. Who hands on a list wakes the writer once, and
// behind the whole of it, so that it becomes one batch.
type queue struct {
	mutex   sync.Mutex
	ring    []*Pending
	first   int
	count   int
	refusal error         // why nothing enters any more
	ready   chan struct{} // holds one: something came since the writer looked
}

func newQueue(most int) *queue {
	return &queue{ring: make([]*Pending, most), ready: make(chan struct{}, 1)}
}

// push adds what there is room for, and returns the rest and why it did not enter.
func (q *queue) push(all ...*Pending) (left []*Pending, refusal error) {
	q.mutex.Lock()
	for len(all) > 0 && q.count < len(q.ring) && q.refusal == nil {
		q.ring[(q.first+q.count)%len(q.ring)] = all[0]
		q.count++
		all = all[1:]
	}
	refusal = q.refusal
	q.mutex.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
	if refusal == nil && len(all) > 0 {
		refusal = ErrFull
	}
	return all, refusal
}

// pop appends what has come, as far as the list has room for it.
func (q *queue) pop(into []*Pending) []*Pending {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for q.count > 0 && len(into) < cap(into) {
		into = append(into, q.ring[q.first])
		q.ring[q.first] = nil
		q.first = (q.first + 1) % len(q.ring)
		q.count--
	}
	return into
}

// end lets nothing enter any more, and returns what still waited.
func (q *queue) end(refusal error) []*Pending {
	q.mutex.Lock()
	q.refusal = refusal
	count := q.count
	q.mutex.Unlock()
	return q.pop(make([]*Pending, 0, count))
}

func (q *queue) isEmpty() bool {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	return q.count == 0
}
