// Package store keeps buckets and objects in memory, the way a Go program naturally would: maps and
// nodes full of pointers, which is the work that the collector is measured on.
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
}

// Store holds every bucket and the account of stored bytes.
type Store struct {
	mutex    sync.RWMutex
	buckets  map[string]*Bucket
	uploads  uploads
	used     atomic.Int64
	bytesMax int64
}

// New makes an empty store that takes at most bytesMax bytes of bodies.
func New(bytesMax int64) *Store {
	return &Store{buckets: map[string]*Bucket{}, uploads: uploads{open: map[string]*Upload{}},
		bytesMax: bytesMax}
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
	if len(bucket.index) > 0 {
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
	index   map[string]*node
	ordered skipList
	removed bool // a PUT that began before the removal must not land in nowhere
}

func newBucket(store *Store, name string, created time.Time) *Bucket {
	name = strings.Clone(name) // a request's memory may be used again
	return &Bucket{Name: name, Created: created, store: store, index: map[string]*node{}}
}

// Get returns the object of a key, or nil.
func (b *Bucket) Get(key string) *Object {
	b.mutex.RLock()
	defer b.mutex.RUnlock()
	if found := b.index[key]; found != nil {
		return found.object
	}
	return nil
}

// Put stores an object whose bytes were reserved; on an error they are still the caller's.
func (b *Bucket) Put(key string, object *Object, condition Condition) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.removed {
		return ErrNoBucket
	}
	found := b.index[key]
	if condition.IsAsked() {
		var present *Object
		if found != nil {
			present = found.object
		}
		if err := condition.Judge(present); err != nil {
			return err
		}
	}
	if found != nil {
		b.store.Release(found.object.Size())
		found.object = object
		return nil
	}
	key = strings.Clone(key) // as a bucket's name
	b.index[key] = b.ordered.insert(key, object)
	return nil
}

// Delete removes a key if it is there.
func (b *Bucket) Delete(key string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	found := b.index[key]
	if found == nil {
		return
	}
	b.store.Release(found.object.Size())
	delete(b.index, key)
	b.ordered.remove(key)
}
