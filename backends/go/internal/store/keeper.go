// Who has objects outside of Go's heap, and the room for bodies that are to come.

package store

import (
	"unsafe"

	"pausemark/go/internal/core"
)

// keeper has keys, order and objects where the collector does not look.
type keeper interface {
	newIndex() index
	// keep brings an object to where an index may have it, so that putting it there cannot fail. Who keeps
	// holds it. What lies in the room is taken as it lies, and on an error freed.
	keep(key string, object *Object, room *Room) (*Object, error)
	// isKept tells whether an index may take the object under this key.
	isKept(key string, object *Object) bool
	// room finds memory for a body; nothing in the room where that is Go's.
	room(bytes int64, room *Room) ([]byte, error)
	// inUse returns the bytes of what is not free.
	inUse() int64
}

// Room is what of a body that is to come lies where the store will have it; the zero value is none.
type Room struct {
	core  *core.Core
	block core.Block
}

// Free gives the room back, and tells whether there was one. What was kept is in no room any more.
func (r *Room) Free() bool {
	if r.block == (core.Block{}) {
		return false
	}
	in := r.core
	in.Give(r.take())
	return true
}

func (r *Room) take() core.Block {
	block := r.block
	*r = Room{}
	return block
}

// NewBody returns memory for a body of this length, without a byte yet. The room is to be freed in the end.
func (s *Store) NewBody(bytes int64, room *Room) ([]byte, error) {
	if s.keeper == nil {
		return make([]byte, 0, bytes), nil
	}
	return s.keeper.room(bytes, room)
}

// spaceBytes is how much may be taken for bodies of this much: blocks have size classes, and one never
// changes its own.
func spaceBytes(bytesMax int64) int64 {
	return min(bytesMax, spaceBytesMax/spaceFactor-headBytes)*spaceFactor + headBytes
}

const (
	// headBytes is for what the account of bodies does not count: keys, headers, links.
	headBytes     = 8 << 30
	spaceBytesMax = 1 << 46 // half of what a process can address
	spaceFactor   = 4
)

// viewOf is the bytes as a string, which is valid as long as they are.
func viewOf(bytes []byte) string {
	return unsafe.String(unsafe.SliceData(bytes), len(bytes))
}
