// Multipart uploads that are open: in memory alone, and gone with their bucket or their process.

package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// uploadsMax bounds the open uploads of all buckets together; a listing sorts that many at most.
const uploadsMax = 1000

// ErrUploads is what a new upload meets when there are enough of them.
var ErrUploads = errors.New("too many open uploads")

// uploads holds every open upload by its id.
type uploads struct {
	mutex sync.Mutex
	open  map[string]*Upload
}

// Upload is one that was begun. Its methods may be called from any goroutine.
type Upload struct {
	ID        string
	Key       string
	Initiated time.Time
	Described *Object // what the object will be, without its body
	bucket    *Bucket
	// turn is held while parts change or become an object, which can take as long as a write to the log.
	// The end of the bucket does not wait for it: in the log it may be what the completion waits for.
	turn sync.Mutex
	// Under the mutex of all uploads:
	parts      map[int]*Part
	completing bool // the parts' bytes are accounted by who completes
	ended      bool
}

// Part is one that was uploaded. It is never changed.
type Part struct {
	Number   int
	Body     []byte
	Sum      [16]byte // its MD5
	Modified time.Time
}

// BeginUpload opens an upload of a key.
func (b *Bucket) BeginUpload(key string, described *Object) (*Upload, error) {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it ends the process rather than fail
	upload := &Upload{ID: hex.EncodeToString(id[:]), Key: key, Initiated: time.Now(),
		Described: described, bucket: b, parts: map[int]*Part{}}
	b.mutex.RLock() // so that the bucket cannot end between the question and the answer
	defer b.mutex.RUnlock()
	if b.removed {
		return nil, ErrNoBucket
	}
	all := &b.store.uploads
	all.mutex.Lock()
	defer all.mutex.Unlock()
	if len(all.open) >= uploadsMax {
		return nil, ErrUploads
	}
	all.open[upload.ID] = upload
	return upload, nil
}

// Upload returns the open upload of this key and id, or nil.
func (b *Bucket) Upload(key, id string) *Upload {
	all := &b.store.uploads
	all.mutex.Lock()
	defer all.mutex.Unlock()
	if found := all.open[id]; found != nil && found.bucket == b && found.Key == key {
		return found
	}
	return nil
}

// uploads returns the bucket's open uploads by key, then id.
func (b *Bucket) uploads() []*Upload {
	all := &b.store.uploads
	all.mutex.Lock()
	defer all.mutex.Unlock()
	var found []*Upload
	for _, upload := range all.open {
		if upload.bucket == b {
			found = append(found, upload)
		}
	}
	slices.SortFunc(found, func(one, other *Upload) int {
		if order := strings.Compare(one.Key, other.Key); order != 0 {
			return order
		}
		return strings.Compare(one.ID, other.ID)
	})
	return found
}

// PutPart adds a part whose bytes were reserved, or replaces one; false when the upload has ended, and
// the bytes are still the caller's.
func (u *Upload) PutPart(part *Part) bool {
	u.turn.Lock()
	defer u.turn.Unlock()
	all := &u.bucket.store.uploads
	all.mutex.Lock()
	defer all.mutex.Unlock()
	if u.ended {
		return false
	}
	if old := u.parts[part.Number]; old != nil {
		u.bucket.store.Release(int64(len(old.Body)))
	}
	u.parts[part.Number] = part
	return true
}

// Parts returns the parts by number.
func (u *Upload) Parts() []*Part {
	all := &u.bucket.store.uploads
	all.mutex.Lock()
	defer all.mutex.Unlock()
	return slices.SortedFunc(maps.Values(u.parts), func(one, other *Part) int {
		return one.Number - other.Number
	})
}

// Abort ends the upload and gives its room back; false when it has ended already.
func (u *Upload) Abort() bool {
	u.turn.Lock()
	defer u.turn.Unlock()
	all := &u.bucket.store.uploads
	all.mutex.Lock()
	defer all.mutex.Unlock()
	if u.ended {
		return false
	}
	all.end(u)
	u.release(0)
	return true
}

// Complete has commit make an object of the parts, while nothing else happens to them. It returns how
// many bytes of them the object keeps and that the upload is done, or that it stays open. False when the
// upload has ended already, and commit was not called.
func (u *Upload) Complete(commit func(parts map[int]*Part) (kept int64, done bool)) bool {
	u.turn.Lock()
	defer u.turn.Unlock()
	if !u.startCompleting() {
		return false
	}
	kept, done := commit(u.parts)
	u.finishCompleting(kept, done)
	return true
}

func (u *Upload) startCompleting() bool {
	all := &u.bucket.store.uploads
	all.mutex.Lock()
	defer all.mutex.Unlock()
	u.completing = !u.ended
	return u.completing
}

func (u *Upload) finishCompleting(kept int64, done bool) {
	all := &u.bucket.store.uploads
	all.mutex.Lock()
	defer all.mutex.Unlock()
	u.completing = false
	if done {
		all.end(u)
	}
	if u.ended { // by this, or by the bucket's end, after which no commit can have succeeded
		u.release(kept)
	}
}

// end takes the upload out; the mutex is held.
func (a *uploads) end(u *Upload) {
	u.ended = true
	delete(a.open, u.ID)
}

// release gives back the room of the parts but for what an object keeps; the mutex is held.
func (u *Upload) release(kept int64) {
	for _, part := range u.parts {
		kept -= int64(len(part.Body))
	}
	u.bucket.store.Release(-kept)
}

// endBucket ends the uploads of a bucket that was removed. The room of one that is just being
// completed is given back by who does that.
func (a *uploads) endBucket(bucket *Bucket) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, upload := range a.open {
		if upload.bucket != bucket {
			continue
		}
		a.end(upload)
		if !upload.completing {
			upload.release(0)
		}
	}
}
