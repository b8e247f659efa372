// Memory that the collector does not see: one mapping, cut into blocks of size classes with free lists.

package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"syscall"
)

// ErrFull is what an object meets for which the arena has no block.
var ErrFull = errors.New("the store is full")

const (
	// blockFirst keeps 0 from being the handle of a block.
	blockFirst = 64
	// returnBytes is from where on a free block's pages go back to the system: the call and the faults
	// of the next use then cost little beside the digest of such a body.
	returnBytes = 64 << 10
	pageBytes   = 4 << 10
	classesMax  = 256
)

// arena hands out blocks by handles, which are offsets. It is never unmapped: what still points into a
// block that was freed must not come to point into the Go heap, which the collector ends the process for.
type arena struct {
	memory []byte // address space; pages come as they are touched
	mutex  sync.Mutex
	cut    uint64 // what was ever made a block
	used   int64  // bytes of the blocks that are not free
	free   [classesMax]uint64
}

// newArena reserves address space by what bodies may have.
func newArena(bytesMax int64) (*arena, error) {
	size := spaceBytes(bytesMax)
	memory, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("expected %d bytes of address space, got %w", size, err)
	}
	return &arena{memory: memory, cut: blockFirst}, nil
}

// classOf returns the class of a size, four of which lie in each doubling, and the size of its blocks.
func classOf(size uint64) (class int, block uint64) {
	if size <= 32 {
		return 0, 32
	}
	length := bits.Len64(size - 1)
	quarter := (size - 1) >> (length - 3)
	return (length-6)*4 + int(quarter) - 3, (quarter + 1) << (length - 3)
}

// allocate returns the handle of a block whose bytes are anything; false when there is none.
func (a *arena) allocate(size uint64) (handle uint64, ok bool) {
	class, block := classOf(size)
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if handle = a.free[class]; handle != 0 {
		a.free[class] = a.number(handle)
	} else {
		if block > uint64(len(a.memory))-a.cut {
			return 0, false
		}
		handle, a.cut = a.cut, a.cut+block
	}
	a.used += int64(block)
	return handle, true
}

// release frees a block that was allocated with this size.
func (a *arena) release(handle, size uint64) {
	class, block := classOf(size)
	if block >= returnBytes {
		first := (handle + pageBytes - 1) &^ (pageBytes - 1)
		end := (handle + block) &^ (pageBytes - 1)
		_ = syscall.Madvise(a.memory[first:end], syscall.MADV_DONTNEED) // refused, the pages just stay
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.setNumber(handle, a.free[class])
	a.free[class] = handle
	a.used -= int64(block)
}

// inUse implements keeper.
func (a *arena) inUse() int64 {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.used
}

func (a *arena) number(at uint64) uint64 {
	return binary.NativeEndian.Uint64(a.memory[at:])
}

func (a *arena) setNumber(at, number uint64) {
	binary.NativeEndian.PutUint64(a.memory[at:], number)
}

func (a *arena) half(at uint64) uint32 {
	return binary.NativeEndian.Uint32(a.memory[at:])
}

func (a *arena) setHalf(at uint64, number uint32) {
	binary.NativeEndian.PutUint32(a.memory[at:], number)
}
