// A write as a value: what the log records, what recovery applies again.

package store

import (
	"errors"
	"time"
)

// Operation is what a write does; the numbers are those of backends/LOG.md.
type Operation uint8

// Every operation that changes state.
const (
	PutObject Operation = iota + 1
	DeleteObject
	CreateBucket
	DeleteBucket
)

// Write is one change of state. It is not changed once it is handed on.
type Write struct {
	Operation Operation
	Bucket    string
	Key       string    // of an object's operation
	Object    *Object   // of PutObject; its bytes were reserved
	Condition Condition // of PutObject
	Time      time.Time
}

// OnBucket tells whether the write creates or deletes a bucket.
func (w *Write) OnBucket() bool {
	return w.Operation == CreateBucket || w.Operation == DeleteBucket
}

var errOperation = errors.New("unknown operation")

// Judge decides a write's conditions against the present state: whether it may be done, and whether
// it changes anything.
func (s *Store) Judge(w *Write) (changes bool, err error) {
	bucket := s.Bucket(w.Bucket)
	if w.Operation == CreateBucket {
		if bucket == nil && s.isFull() {
			return false, ErrBuckets
		}
		return bucket == nil, nil
	}
	if bucket == nil {
		return false, ErrNoBucket
	}
	switch w.Operation {
	case PutObject:
		err = bucket.Judge(w.Key, &w.Condition)
		return err == nil, err
	case DeleteObject:
		return bucket.has(w.Key), nil
	case DeleteBucket:
		if !bucket.empty() {
			return false, ErrNotEmpty
		}
		return true, nil
	default:
		return false, errOperation
	}
}

// Apply does the write, conditions and all; on an error nothing has changed.
func (s *Store) Apply(w *Write) error {
	switch w.Operation {
	case CreateBucket:
		return s.createAt(w.Bucket, w.Time)
	case DeleteBucket:
		return s.Remove(w.Bucket)
	}
	bucket := s.Bucket(w.Bucket)
	switch {
	case bucket == nil:
		return ErrNoBucket
	case w.Operation == PutObject:
		return bucket.Put(w.Key, w.Object, w.Condition)
	case w.Operation == DeleteObject:
		bucket.Delete(w.Key)
		return nil
	default:
		return errOperation
	}
}

// Restore applies a write that was acknowledged before, whatever room there is: Usage tells after the
// last one whether all of them fit.
func (s *Store) Restore(w *Write) error {
	if w.Object != nil {
		s.used.Add(w.Object.Size())
	}
	return s.Apply(w)
}

// Usage returns the stored bytes and their limit.
func (s *Store) Usage() (used, bytesMax int64) {
	return s.used.Load(), s.bytesMax
}

func (b *Bucket) empty() bool {
	b.mutex.RLock()
	defer b.mutex.RUnlock()
	return b.index.count() == 0
}
