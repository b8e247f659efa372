// Package core is the storage core in C, as Go sees it: each method that crosses to C says so. What is
// in C's memory is read where it lies, without a crossing.
package core

/*
#cgo CFLAGS: -std=c17 -D_GNU_SOURCE -O2 -fno-omit-frame-pointer -Wall -Wextra -Wshadow -Wconversion -Werror
#cgo noescape pm_block_take
#cgo nocallback pm_block_take
#cgo noescape pm_block_give
#cgo nocallback pm_block_give
#cgo noescape pm_record_new
#cgo nocallback pm_record_new
#cgo noescape pm_record_free
#cgo nocallback pm_record_free
#cgo noescape pm_index_get
#cgo nocallback pm_index_get
#cgo noescape pm_index_has
#cgo nocallback pm_index_has
#cgo noescape pm_index_put
#cgo nocallback pm_index_put
#cgo noescape pm_index_remove
#cgo nocallback pm_index_remove
#cgo noescape pm_index_seek
#cgo nocallback pm_index_seek
#include "core.h"
*/
import "C"

import (
	"errors"
	"hash/maphash"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// LevelsMax is how many levels a key may have in the order.
const LevelsMax = C.PM_LEVELS_MAX

// ErrMemory is what a core meets that cannot begin.
var ErrMemory = errors.New("expected memory from C's library, got none")

// Core is all memory of one store, as long as the process lives.
type Core struct {
	c *C.pm_core
}

// New makes a core that takes at most these bytes from the system. One crossing.
func New(bytesMax int64) (*Core, error) {
	made := C.pm_core_new(C.uint64_t(bytesMax))
	if made == nil {
		return nil, ErrMemory
	}
	return &Core{made}, nil
}

// InUse is the bytes of all blocks that are taken, with what their size classes add. One crossing.
func (c *Core) InUse() int64 {
	return int64(C.pm_core_in_use(c.c))
}

// Held is the bytes that the core has from the system. One crossing.
func (c *Core) Held() int64 {
	return int64(C.pm_core_held(c.c))
}

// Block is memory for a body; the zero value is none.
type Block struct {
	at    unsafe.Pointer
	bytes int64
}

// Take takes memory whose bytes are anything; none for no bytes. False where there is none. One crossing.
func (c *Core) Take(bytes int64) (Block, bool) {
	if bytes == 0 {
		return Block{}, true
	}
	at := C.pm_block_take(c.c, C.size_t(bytes))
	return Block{at, bytes}, at != nil
}

// Give gives back a block that no record has taken. One crossing, none for none.
func (c *Core) Give(block Block) {
	if block.at != nil {
		C.pm_block_give(c.c, block.at, C.size_t(block.bytes))
	}
}

// Bytes are the block's.
func (b Block) Bytes() []byte {
	return unsafe.Slice((*byte)(b.at), b.bytes)
}

// Record is an object in C's memory.
type Record C.pm_record

// Sizes say how large the parts of a record are.
type Sizes struct {
	Key, Texts, TextBytes int
}

// NewRecord makes a record with one holder, and the node that an index may need for it. It takes the body,
// unless it returns nil because there is no memory. One crossing.
func (c *Core) NewRecord(body Block, sizes Sizes, levels int) *Record {
	return (*Record)(C.pm_record_new(c.c, body.at, C.uint64_t(body.bytes), C.uint32_t(sizes.Key),
		C.uint32_t(sizes.Texts), C.uint32_t(sizes.TextBytes), C.uint32_t(levels)))
}

// LetGo ends a hold. One crossing if it was the last, else none.
func (c *Core) LetGo(record *Record) {
	if atomic.AddInt32((*int32)(&record.holders), -1) == 0 {
		C.pm_record_free(c.c, (*C.pm_record)(record))
	}
}

// Key is the memory of the key, valid as long as the record.
func (r *Record) Key() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(r.key)), r.key_bytes)
}

// Text is the memory of all texts.
func (r *Record) Text() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(r.text)), r.text_bytes)
}

// Lengths are those of each text.
func (r *Record) Lengths() []uint32 {
	return unsafe.Slice((*uint32)(r.lengths), r.texts)
}

// Body is the memory of the body; nil where it has no bytes.
func (r *Record) Body() []byte {
	return unsafe.Slice((*byte)(r.body), r.body_bytes)
}

// BodyBytes is how long the body is.
func (r *Record) BodyBytes() int64 {
	return int64(r.body_bytes)
}

// IsNew tells whether no index has taken the record yet.
func (r *Record) IsNew() bool {
	return r.node != nil
}

// Numbers are what a record keeps beside its texts.
type Numbers struct {
	Seconds            int64
	Nanoseconds        int
	Headers, Checksums int
}

// Set fills the numbers in.
func (r *Record) Set(numbers Numbers) {
	r.seconds, r.nanoseconds = C.int64_t(numbers.Seconds), C.uint32_t(numbers.Nanoseconds)
	r.headers, r.checksums = C.uint32_t(numbers.Headers), C.uint32_t(numbers.Checksums)
}

// Numbers tells them.
func (r *Record) Numbers() Numbers {
	return Numbers{int64(r.seconds), int(r.nanoseconds), int(r.headers), int(r.checksums)}
}

// Node is a key's place in the order.
type Node C.pm_node

// Next is the node behind it, or nil.
func (n *Node) Next() *Node {
	return (*Node)(n.next[0])
}

// Record is the key's, valid as long as the index is locked.
func (n *Node) Record() *Record {
	return (*Record)(n.record)
}

// Index finds records by key and in byte order. Who uses it has it locked, for reading or for writing.
type Index struct {
	c    *C.pm_index
	seed maphash.Seed
}

// noneThere is what C tells in place of a size.
const noneThere = -1

// NewIndex makes an empty index. Its head, 1.7 KiB, goes with it, in a cleanup: who found a bucket may still
// ask for its keys when it has ended. One crossing.
func (c *Core) NewIndex() *Index {
	head := C.pm_index_new(c.c)
	made := &Index{head, maphash.MakeSeed()}
	runtime.AddCleanup(made, func(head *C.pm_index) { C.pm_index_free(head) }, head)
	return made
}

// keyOf is the key as C takes it, for the time of a call: its hash, its bytes and their number.
func (x *Index) keyOf(key string) (C.uint64_t, *C.char, C.size_t) {
	return C.uint64_t(maphash.String(x.seed, key)), (*C.char)(unsafe.Pointer(unsafe.StringData(key))),
		C.size_t(len(key))
}

// Get returns the record of a key with a hold, or nil. One crossing.
func (x *Index) Get(key string) *Record {
	hash, at, bytes := x.keyOf(key)
	return (*Record)(C.pm_index_get(x.c, hash, at, bytes))
}

// Has tells whether there is such a key. One crossing.
func (x *Index) Has(key string) bool {
	hash, at, bytes := x.keyOf(key)
	return C.pm_index_has(x.c, hash, at, bytes) != 0
}

// Put takes a hold of its own on a new record with this key, and tells the size of the one that was there;
// false where there was none. One crossing.
func (x *Index) Put(key string, record *Record) (replacedBytes int64, replaced bool) {
	hash, _, _ := x.keyOf(key)
	return sizeOf(C.pm_index_put(x.c, hash, (*C.pm_record)(record)))
}

func sizeOf(told C.int64_t) (bytes int64, there bool) {
	return max(int64(told), 0), told != noneThere
}

// Remove tells the size of what was there; false where there was nothing. One crossing.
func (x *Index) Remove(key string) (bytes int64, found bool) {
	hash, at, length := x.keyOf(key)
	return sizeOf(C.pm_index_remove(x.c, hash, at, length))
}

// Seek returns the first node whose key is not below this one, or nil. One crossing.
func (x *Index) Seek(key string) *Node {
	_, at, bytes := x.keyOf(key)
	return (*Node)(C.pm_index_seek(x.c, at, bytes))
}
