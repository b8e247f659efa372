// What a bucket's index does, and the one of them that is full of pointers.

package store

import (
	"strings"

	"pausemark/go/internal/core"
)

// index finds keys by hash and in byte order. The bucket's lock is held, for reading or for writing.
type index interface {
	count() int
	has(key string) bool
	// get returns a key's object, which the caller lets go, or nil.
	get(key string) *Object
	// put adds a key or replaces its object, and tells the size of the one that was there.
	put(key string, object *Object) (replacedBytes int64)
	// remove tells the size of the object that was there; false when there was none.
	remove(key string) (bytes int64, found bool)

	// seek returns the place of the first key that is not below this one.
	seek(key string) place
	next(at place) place
	// key is valid as long as the lock is held.
	key(at place) string
	// entry is valid for as long as it is wanted; its object is without bytes where they are lent.
	entry(at place) Entry
	// text makes a part of a key valid for as long as it is wanted.
	text(part string) string
}

// place is where a key stands in the order; as it is made, it is behind the last.
type place struct {
	node   *node  // of pointers
	handle uint64 // of an arena
	inC    *core.Node
}

func (p place) isEnd() bool {
	return p.node == nil && p.handle == 0 && p.inC == nil
}

// pointerIndex is the natural form, and the one whose marking is measured.
type pointerIndex struct {
	byKey   map[string]*node
	ordered skipList
}

func (p *pointerIndex) count() int {
	return len(p.byKey)
}

func (p *pointerIndex) has(key string) bool {
	return p.byKey[key] != nil
}

func (p *pointerIndex) get(key string) *Object {
	if found := p.byKey[key]; found != nil {
		return found.object
	}
	return nil
}

func (p *pointerIndex) put(key string, object *Object) (replacedBytes int64) {
	if found := p.byKey[key]; found != nil {
		replacedBytes = found.object.Size()
		found.object = object
		return replacedBytes
	}
	key = strings.Clone(key) // as a bucket's name
	p.byKey[key] = p.ordered.insert(key, object)
	return 0
}

func (p *pointerIndex) remove(key string) (bytes int64, found bool) {
	gone := p.byKey[key]
	if gone == nil {
		return 0, false
	}
	delete(p.byKey, key)
	p.ordered.remove(key)
	return gone.object.Size(), true
}

func (p *pointerIndex) seek(key string) place {
	return place{node: p.ordered.seek(key)}
}

func (p *pointerIndex) next(at place) place {
	return place{node: at.node.next[0]}
}

func (p *pointerIndex) key(at place) string {
	return at.node.key
}

func (p *pointerIndex) entry(at place) Entry {
	return Entry{at.node.key, at.node.object}
}

func (p *pointerIndex) text(part string) string {
	return part
}
