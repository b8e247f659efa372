// The index whose keys, order and objects lie in the arena: handles where the other has pointers.

package store

import (
	"hash/maphash"
	"strings"
)

// Where the numbers of a node lie. Behind them come the handles of the next node on each of its levels.
const (
	nodeRecord = 0
	nodeLevels = 8
	nodeNext   = 16
)

func nodeBytes(levels uint64) uint64 {
	return nodeNext + 8*levels
}

// newNode makes a node that is in no index; false when there is no block for it.
func (a *arena) newNode() (node uint64, ok bool) {
	levels := uint64(randomLevels())
	if node, ok = a.allocate(nodeBytes(levels)); ok {
		a.setNumber(node+nodeLevels, levels)
	}
	return node, ok
}

func (a *arena) releaseNode(node uint64) {
	a.release(node, nodeBytes(a.number(node+nodeLevels)))
}

func (a *arena) nodeKey(node uint64) string {
	return a.key(a.number(node + nodeRecord))
}

// arenaIndex is a table by hash, and a skip list as the other's.
type arenaIndex struct {
	arena  *arena
	seed   maphash.Seed
	tables [tablesCount]table
	keys   int
	heads  [levelsMax]uint64
}

func (a *arena) newIndex() index {
	return &arenaIndex{arena: a, seed: maphash.MakeSeed()}
}

// room implements keeper: bodies come into Go's heap, and are copied.
func (a *arena) room(bytes int64, _ *Room) ([]byte, error) {
	return make([]byte, 0, bytes), nil
}

// find returns a key's table and its slot there.
func (x *arenaIndex) find(key string) (in *table, hash uint64, at int, found bool) {
	hash = maphash.String(x.seed, key)
	in = &x.tables[hash>>58]
	at, found = in.find(hash, func(node uint64) bool { return x.arena.nodeKey(node) == key })
	return in, hash, at, found
}

func (x *arenaIndex) count() int {
	return x.keys
}

func (x *arenaIndex) has(key string) bool {
	_, _, _, found := x.find(key)
	return found
}

func (x *arenaIndex) get(key string) *Object {
	in, _, at, found := x.find(key)
	if !found {
		return nil
	}
	return x.arena.lend(x.arena.number(in.slots[at].node + nodeRecord))
}

// put takes a hold of its own on the object's record, which was kept under this key.
func (x *arenaIndex) put(key string, object *Object) (replacedBytes int64) {
	a, record := x.arena, object.lent.record
	a.holders(record).Add(1)
	made := a.number(record + recordNode)
	in, hash, at, found := x.find(key)
	if found {
		node := in.slots[at].node
		old := a.number(node + nodeRecord)
		a.setNumber(node+nodeRecord, record)
		replacedBytes = int64(a.number(old + recordBodyBytes))
		a.letGo(old)
	} else {
		a.setNumber(made+nodeRecord, record)
		x.link(key, made)
		in.add(hash, made)
		x.keys++
	}
	if made != 0 {
		a.setNumber(record+recordNode, 0)
		if found {
			a.releaseNode(made)
		}
	}
	return replacedBytes
}

func (x *arenaIndex) remove(key string) (bytes int64, found bool) {
	in, _, at, found := x.find(key)
	if !found {
		return 0, false
	}
	a, node := x.arena, in.slots[at].node
	x.unlink(key)
	in.remove(at)
	x.keys--
	record := a.number(node + nodeRecord)
	bytes = int64(a.number(record + recordBodyBytes))
	a.releaseNode(node)
	a.letGo(record)
	return bytes, true
}

// path returns, for each level, the node behind which the key has its place, or 0 for the head.
func (x *arenaIndex) path(key string) (before [levelsMax]uint64) {
	at := uint64(0)
	for level := levelsMax - 1; level >= 0; level-- {
		next := x.follow(at, level)
		for next != 0 && x.arena.nodeKey(next) < key {
			at, next = next, x.follow(next, level)
		}
		before[level] = at
	}
	return before
}

func (x *arenaIndex) follow(node uint64, level int) uint64 {
	if node == 0 {
		return x.heads[level]
	}
	return x.arena.number(node + nodeNext + 8*uint64(level))
}

func (x *arenaIndex) setNext(node uint64, level int, next uint64) {
	if node == 0 {
		x.heads[level] = next
		return
	}
	x.arena.setNumber(node+nodeNext+8*uint64(level), next)
}

func (x *arenaIndex) link(key string, node uint64) {
	before := x.path(key)
	for level := range int(x.arena.number(node + nodeLevels)) {
		x.setNext(node, level, x.follow(before[level], level))
		x.setNext(before[level], level, node)
	}
}

func (x *arenaIndex) unlink(key string) {
	before := x.path(key)
	gone := x.follow(before[0], 0)
	for level := range int(x.arena.number(gone + nodeLevels)) {
		x.setNext(before[level], level, x.follow(gone, level))
	}
}

func (x *arenaIndex) seek(key string) place {
	return place{handle: x.follow(x.path(key)[0], 0)}
}

func (x *arenaIndex) next(at place) place {
	return place{handle: x.follow(at.handle, 0)}
}

func (x *arenaIndex) key(at place) string {
	return x.arena.nodeKey(at.handle)
}

func (x *arenaIndex) entry(at place) Entry {
	return Entry{strings.Clone(x.key(at)), &x.arena.told(x.arena.number(at.handle + nodeRecord)).Object}
}

func (x *arenaIndex) text(part string) string {
	return strings.Clone(part)
}
