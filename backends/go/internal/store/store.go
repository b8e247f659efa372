// Package store keeps buckets and objects in memory, the way a Go program naturally would: maps and
// nodes full of pointers, which is the work that the collector is measured on. Or, to be compared with
// that, where the collector sees none of it.
package store

import (
	"errors"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What an operation on a bucket can meet.
var (
	ErrNoBucket  = errors.New("no such bucket")
	ErrNoKey     = errors.New("no such key")
	ErrNotEmpty  = errors.New("bucket not empty")
	ErrCondition = errors.New("a condition does not hold")
	ErrBuckets   = errors.New("too many buckets")
)

// bucketsMax is the contract's limit.
const bucketsMax = 1000

// Header is a header that an object keeps, its name as it goes on the wire.
type Header struct {
	Name  string
	Value string
}

// Object is what a key names. It is never changed once it is in a bucket.
type Object struct {
	Body         []byte
	Rest         [][]byte // of a multipart object: the parts behind the first
	ETag         string   // quoted
	Modified     time.Time
	LastModified string // Modified as a header has it
	ContentType  string
	Headers      []Header
	Checksums    []Header // told only to who asks for them
	lent         *lease   // of bytes in an arena
}

// Store holds every bucket and the account of stored bytes.
type Store struct {
	mutex    sync.RWMutex
	buckets  map[string]*Bucket
	uploads  uploads
	used     atomic.Int64
	bytesMax int64
	keeper   keeper // nil with an index of pointers
}

// New makes an empty store that takes at most bytesMax bytes of bodies.
func New(bytesMax int64) *Store {
	return &Store{buckets: map[string]*Bucket{}, uploads: uploads{open: map[string]*Upload{}},
		bytesMax: bytesMax}
}

// NewOffHeap makes one whose keys and objects lie where the collector does not look.
func NewOffHeap(bytesMax int64) (*Store, error) {
	made := New(bytesMax)
	var err error
	made.keeper, err = newArena(bytesMax)
	return made, err
}

// NewInC makes one whose keys and objects lie in the memory of C's library, behind cgo.
func NewInC(bytesMax int64) (*Store, error) {
	made := New(bytesMax)
	var err error
	made.keeper, err = newCoreKeeper(bytesMax)
	return made, err
}

// Keep brings an object to where the bucket will have it, before anybody waits for the write: bytes are
// copied there if they are to leave the heap and do not lie in the room. The caller lets it go, whatever
// became of it.
func (s *Store) Keep(key string, object *Object, room *Room) (*Object, error) {
	if s.keeper == nil {
		return object, nil
	}
	return s.keeper.keep(key, object, room)
}

// OffHeapBytes tells how much is in use off the heap, records and links included.
func (s *Store) OffHeapBytes() int64 {
	if s.keeper == nil {
		return 0
	}
	return s.keeper.inUse()
}

func (s *Store) newIndex() index {
	if s.keeper == nil {
		return &pointerIndex{byKey: map[string]*node{}}
	}
	return s.keeper.newIndex()
}

// Reserve takes room for a body before it is read; false when the store is full.
func (s *Store) Reserve(size int64) bool {
	if s.used.Add(size) <= s.bytesMax {
		return true
	}
	s.used.Add(-size)
	return false
}

// Release gives room back, of a body that never came or of one that is gone.
func (s *Store) Release(size int64) {
	s.used.Add(-size)
}

// Bucket returns the bucket of this name, or nil.
func (s *Store) Bucket(name string) *Bucket {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	return s.buckets[name]
}

// Create makes the bucket unless it is there.
func (s *Store) Create(name string) error {
	return s.createAt(name, time.Now())
}

func (s *Store) createAt(name string, created time.Time) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case s.buckets[name] != nil:
		return nil
	case len(s.buckets) >= bucketsMax:
		return ErrBuckets
	}
	made := newBucket(s, name, created)
	s.buckets[made.Name] = made
	return nil
}

// isFull tells whether there are as many buckets as there may be.
func (s *Store) isFull() bool {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	return len(s.buckets) >= bucketsMax
}

// Remove removes an empty bucket.
func (s *Store) Remove(name string) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	bucket := s.buckets[name]
	if bucket == nil {
		return ErrNoBucket
	}
	bucket.mutex.Lock()
	defer bucket.mutex.Unlock()
	if bucket.index.count() > 0 {
		return ErrNotEmpty
	}
	bucket.removed = true
	delete(s.buckets, name)
	s.uploads.endBucket(bucket)
	return nil
}

// Buckets returns every bucket by name.
func (s *Store) Buckets() []*Bucket {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	all := make([]*Bucket, 0, len(s.buckets))
	for _, bucket := range s.buckets {
		all = append(all, bucket)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Bucket is an index twice: by hash for single keys, in byte order for listings.
type Bucket struct {
	Name    string
	Created time.Time
	store   *Store
	mutex   sync.RWMutex
	index   index
	removed bool // a PUT that began before the removal must not land in nowhere
}

func newBucket(store *Store, name string, created time.Time) *Bucket {
	name = strings.Clone(name) // a request's memory may be used again
	return &Bucket{Name: name, Created: created, store: store, index: store.newIndex()}
}

// Get returns the object of a key, which the caller lets go, or nil.
func (b *Bucket) Get(key string) *Object {
	b.mutex.RLock()
	defer b.mutex.RUnlock()
	return b.index.get(key)
}

// Judge judges a write's condition against the object of a key.
func (b *Bucket) Judge(key string, condition *Condition) error {
	if !condition.IsAsked() {
		return nil
	}
	object := b.Get(key)
	defer object.LetGo()
	return condition.Judge(object)
}

// Put stores an object whose bytes were reserved; on an error they are still the caller's. One that was kept
// under this key does not fail for want of memory.
func (b *Bucket) Put(key string, object *Object, condition Condition) error {
	if away := b.store.keeper; away != nil && !away.isKept(key, object) {
		kept, err := away.keep(key, object, &Room{})
		if err != nil {
			return err
		}
		defer kept.LetGo()
		object = kept
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.removed {
		return ErrNoBucket
	}
	if condition.IsAsked() {
		present := b.index.get(key)
		err := condition.Judge(present)
		present.LetGo()
		if err != nil {
			return err
		}
	}
	if replacedBytes := b.index.put(key, object); replacedBytes > 0 {
		b.store.Release(replacedBytes)
	}
	return nil
}

// Delete removes a key if it is there.
func (b *Bucket) Delete(key string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if bytes, found := b.index.remove(key); found {
		b.store.Release(bytes)
	}
}

// has tells whether a key has an object.
func (b *Bucket) has(key string) bool {
	b.mutex.RLock()
	defer b.mutex.RUnlock()
	return b.index.has(key)
}
