// Commits writes: straight into the store, or through the journal, where they wait their turn.

package s3

import (
	"errors"
	"iter"
	"net/http"
	"time"

	"pausemark/go/internal/journal"
	"pausemark/go/internal/store"
)

// leave leaves a write to be committed, and what is to be answered then.
func (e *Exchange) leave(write store.Write, committed func(*Handler, *Exchange)) {
	e.write, e.committed = write, committed
}

// leavePut leaves the write of the exchange's object.
func (h *Handler) leavePut(e *Exchange, committed func(*Handler, *Exchange)) *failure {
	write, failed := h.putting(e)
	if failed == nil {
		e.leave(write, committed)
	}
	return failed
}

// putting is the write of the exchange's object, whose bytes are reserved; on a failure they are still the
// caller's.
func (h *Handler) putting(e *Exchange) (store.Write, *failure) {
	kept, err := h.store.Keep(e.key, e.object, &e.body.room)
	if err != nil {
		return store.Write{}, errSlowDown
	}
	e.hold(kept)
	return store.Write{Operation: store.PutObject, Bucket: e.bucket, Key: e.key, Object: kept,
		Condition: e.condition, Time: kept.Modified}, nil
}

// commit does the write that was left; with a journal it waits.
func (h *Handler) commit(e *Exchange) error {
	if h.journal == nil {
		return h.store.Apply(&e.write)
	}
	return h.journal.WriteAs(&e.pending, &e.write)
}

func (h *Handler) deleteObject(e *Exchange) *failure {
	if h.store.Bucket(e.bucket) == nil {
		return errNoSuchBucket
	}
	e.leave(deletion(e.bucket, e.key), (*Handler).answerNoContent)
	return nil
}

func (h *Handler) answerNoContent(e *Exchange) {
	e.start(http.StatusNoContent)
	e.Answer.NoLength()
}

// commitDeletes deletes in order and yields each outcome. All of them are begun before the first is
// waited for, so that they share batches; what the log refused is told key by key.
func (h *Handler) commitDeletes(e *Exchange, objects []deleteObject) iter.Seq2[int, *failure] {
	return func(yield func(int, *failure) bool) {
		if h.journal == nil {
			for at, object := range objects {
				failed := judgeKey(*object.Key)
				if failed == nil {
					e.in.Delete(*object.Key)
				}
				if !yield(at, failed) {
					return
				}
			}
			return
		}
		waits := make([]func() *failure, len(objects))
		for at, object := range objects {
			waits[at] = h.beginDelete(e.bucket, *object.Key)
		}
		for at, wait := range waits {
			if !yield(at, wait()) {
				return
			}
		}
	}
}

func (h *Handler) beginDelete(bucket, key string) (wait func() *failure) {
	if failed := judgeKey(key); failed != nil {
		return func() *failure { return failed }
	}
	write := deletion(bucket, key)
	begun := h.journal.Begin(&write)
	return func() *failure { return writeFailure(begun()) }
}

// judgeKey refuses a key that no PUT can have made.
func judgeKey(key string) *failure {
	if len(key) > keyBytesMax {
		return errKeyTooLong
	}
	return nil
}

func deletion(bucket, key string) store.Write {
	return store.Write{Operation: store.DeleteObject, Bucket: bucket, Key: key, Time: time.Now()}
}

// writeFailure is the answer to a write that was refused, or nil.
func writeFailure(err error) *failure {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNoBucket):
		return errNoSuchBucket
	case errors.Is(err, store.ErrNoKey):
		return errNoSuchKey
	case errors.Is(err, store.ErrCondition):
		return errPrecondition
	case errors.Is(err, store.ErrBuckets):
		return errTooManyBuckets
	case errors.Is(err, store.ErrNotEmpty):
		return errBucketNotEmpty
	case errors.Is(err, journal.ErrFull):
		return errSlowDown
	default:
		return errInternal
	}
}
