// Objects and keys in the storage core behind cgo: who made them, how they are told, and their index.

package store

import (
	"strings"
	"time"

	"pausemark/go/internal/core"
)

// coreKeeper keeps everything in C's memory.
type coreKeeper struct {
	core *core.Core
}

// coreLease is a hold on a record in C's memory.
type coreLease struct {
	keeper *coreKeeper // nil where nothing is held
	record *core.Record
}

func newCoreKeeper(bytesMax int64) (*coreKeeper, error) {
	made, err := core.New(spaceBytes(bytesMax))
	if err != nil {
		return nil, err
	}
	return &coreKeeper{made}, nil
}

func (k *coreKeeper) inUse() int64 {
	return k.core.InUse()
}

func (k *coreKeeper) newIndex() index {
	return &coreIndex{keeper: k, Index: k.core.NewIndex()}
}

func (k *coreKeeper) room(bytes int64, room *Room) ([]byte, error) {
	block, ok := k.core.Take(bytes)
	if !ok {
		return nil, ErrFull
	}
	room.core, room.block = k.core, block
	return block.Bytes()[:0], nil
}

// isKept tells whether the object's record is one that an index may take under this key.
func (k *coreKeeper) isKept(key string, object *Object) bool {
	if object.lent == nil || object.lent.inC.keeper != k {
		return false
	}
	record := object.lent.inC.record
	return record.IsNew() && string(record.Key()) == key
}

// keep makes a record of the object, with the body that lies in the room, or with a copy of its bytes.
func (k *coreKeeper) keep(key string, object *Object, room *Room) (*Object, error) {
	block := room.take()
	if block == (core.Block{}) {
		made, ok := k.core.Take(object.Size())
		if !ok {
			return nil, ErrFull
		}
		block = made
		at := block.Bytes()[:0]
		for slice := range object.Range(0, object.Size()) {
			at = append(at, slice...)
		}
	}
	sizes := core.Sizes{Key: len(key)}
	for text := range object.texts {
		sizes.Texts, sizes.TextBytes = sizes.Texts+1, sizes.TextBytes+len(text)
	}
	record := k.core.NewRecord(block, sizes, randomLevels())
	if record == nil {
		k.core.Give(block)
		return nil, ErrFull
	}
	record.Set(core.Numbers{Seconds: object.Modified.Unix(), Nanoseconds: object.Modified.Nanosecond(),
		Headers: len(object.Headers), Checksums: len(object.Checksums)})
	copy(record.Key(), key)
	lengths, all, at := record.Lengths(), record.Text(), 0
	for text := range object.texts {
		lengths[0] = uint32(len(text))
		lengths, at = lengths[1:], at+copy(all[at:], text)
	}
	kept := &lentObject{Object: *object}
	kept.Rest = nil
	return k.lend(kept, record), nil
}

// told is the record's object without its bytes; its texts may outlive the record.
func (k *coreKeeper) told(record *core.Record) *lentObject {
	numbers := record.Numbers()
	object := &lentObject{lease: lease{told: record.BodyBytes()}}
	object.lent = &object.lease
	object.Modified = time.Unix(numbers.Seconds, int64(numbers.Nanoseconds))
	lengths, at := record.Lengths(), 0
	object.tellTexts(string(record.Text()), numbers.Headers, numbers.Checksums, func() (length uint32) {
		length, at = lengths[at], at+1
		return length
	})
	return object
}

// lend gives the object the record's bytes, with a hold that is there already.
func (k *coreKeeper) lend(object *lentObject, record *core.Record) *Object {
	object.lease = lease{inC: coreLease{k, record}}
	object.Body, object.lent = record.Body(), &object.lease
	return &object.Object
}

// coreIndex is the index of one bucket.
type coreIndex struct {
	keeper *coreKeeper
	*core.Index
	keys int
}

func (x *coreIndex) count() int {
	return x.keys
}

func (x *coreIndex) has(key string) bool {
	return x.Has(key)
}

func (x *coreIndex) get(key string) *Object {
	record := x.Get(key)
	if record == nil {
		return nil
	}
	return x.keeper.lend(x.keeper.told(record), record)
}

func (x *coreIndex) put(key string, object *Object) (replacedBytes int64) {
	replacedBytes, replaced := x.Put(key, object.lent.inC.record)
	if !replaced {
		x.keys++
	}
	return replacedBytes
}

func (x *coreIndex) remove(key string) (bytes int64, found bool) {
	if bytes, found = x.Remove(key); found {
		x.keys--
	}
	return bytes, found
}

func (x *coreIndex) seek(key string) place {
	return place{inC: x.Seek(key)}
}

func (x *coreIndex) next(at place) place {
	return place{inC: at.inC.Next()}
}

func (x *coreIndex) key(at place) string {
	return viewOf(at.inC.Record().Key())
}

func (x *coreIndex) entry(at place) Entry {
	return Entry{strings.Clone(x.key(at)), &x.keeper.told(at.inC.Record()).Object}
}

func (x *coreIndex) text(part string) string {
	return strings.Clone(part)
}
