// An object as a block of the arena: its numbers, its texts, its bytes, and how many hold it.

package store

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// Where the numbers of a record lie. Behind them come the lengths of the texts (ETag, Last-Modified,
// type, then names and values), the key, the texts, and the body.
const (
	recordHolders     = 0 // 4 bytes, atomic: the index, and each that reads
	recordKeyBytes    = 4
	recordBodyBytes   = 8
	recordSeconds     = 16
	recordNanoseconds = 24
	recordTextBytes   = 28 // without the key's
	recordHeaders     = 32 // how many
	recordChecksums   = 36
	recordNode        = 40 // one made ahead for the index, or 0
	recordLengths     = 48
)

// lease is a hold on a record: its bytes stay as long as somebody has one.
type lease struct {
	arena  *arena // nil where nothing is held there
	record uint64
	inC    coreLease
	told   int64 // the size of an object that comes without its bytes
}

// lentObject is an object with its lease, in one allocation.
type lentObject struct {
	Object
	lease lease
}

// LetGo ends the hold that Get and Keep give on an object's bytes; nil is allowed. The rest of the object
// is the collector's and stays.
func (o *Object) LetGo() {
	if o == nil || !o.IsLent() {
		return
	}
	held := o.lent
	o.Body, o.lent = nil, nil
	if held.arena != nil {
		held.arena.letGo(held.record)
		return
	}
	held.inC.keeper.core.LetGo(held.inC.record)
}

// IsLent tells whether the bytes may be another's once the object is let go.
func (o *Object) IsLent() bool {
	return o.lent != nil && (o.lent.arena != nil || o.lent.inC.keeper != nil)
}

// isKept tells whether the object's record is one that an index may take under this key.
func (a *arena) isKept(key string, object *Object) bool {
	if object.lent == nil || object.lent.arena != a {
		return false
	}
	record := object.lent.record
	return a.key(record) == key && a.number(record+recordNode) != 0
}

func (a *arena) holders(record uint64) *atomic.Int32 {
	return (*atomic.Int32)(unsafe.Pointer(&a.memory[record+recordHolders])) // blocks are aligned to 8
}

func (a *arena) letGo(record uint64) {
	if a.holders(record).Add(-1) > 0 {
		return
	}
	if node := a.number(record + recordNode); node != 0 {
		a.releaseNode(node)
	}
	a.release(record, a.recordBytes(record))
}

func (a *arena) recordBytes(record uint64) uint64 {
	return a.bodyAt(record) + a.number(record+recordBodyBytes)
}

// keyAt returns where the key begins.
func (a *arena) keyAt(record uint64) uint64 {
	pairs := uint64(a.half(record+recordHeaders)) + uint64(a.half(record+recordChecksums))
	return record + recordLengths + 4*(3+2*pairs)
}

func (a *arena) textsAt(record uint64) uint64 {
	return a.keyAt(record) + uint64(a.half(record+recordKeyBytes))
}

// bodyAt returns how far behind the record's begin its body lies.
func (a *arena) bodyAt(record uint64) uint64 {
	return a.textsAt(record) + uint64(a.half(record+recordTextBytes)) - record
}

// key is valid as long as the record.
func (a *arena) key(record uint64) string {
	at := a.keyAt(record)
	return viewOf(a.memory[at : at+uint64(a.half(record+recordKeyBytes))])
}

func (a *arena) body(record uint64) []byte {
	begin := record + a.bodyAt(record)
	end := begin + a.number(record+recordBodyBytes)
	return a.memory[begin:end:end]
}

// texts yields the texts of an object in the order of a record.
func (o *Object) texts(yield func(string) bool) {
	if !yield(o.ETag) || !yield(o.LastModified) || !yield(o.ContentType) {
		return
	}
	for _, list := range [...][]Header{o.Headers, o.Checksums} {
		for _, header := range list {
			if !yield(header.Name) || !yield(header.Value) {
				return
			}
		}
	}
}

// keep copies an object into a record of its own, and makes the node that an index may need for it, so
// that putting it there cannot fail. Who keeps holds it.
func (a *arena) keep(key string, object *Object, _ *Room) (*Object, error) {
	textBytes := 0
	for text := range object.texts {
		textBytes += len(text)
	}
	pairs, bodyBytes := len(object.Headers)+len(object.Checksums), object.Size()
	record, ok := a.allocate(uint64(recordLengths+4*(3+2*pairs)+len(key)+textBytes) + uint64(bodyBytes))
	if !ok {
		return nil, ErrFull
	}
	a.holders(record).Store(1)
	a.setHalf(record+recordKeyBytes, uint32(len(key)))
	a.setNumber(record+recordBodyBytes, uint64(bodyBytes))
	a.setNumber(record+recordSeconds, uint64(object.Modified.Unix()))
	a.setHalf(record+recordNanoseconds, uint32(object.Modified.Nanosecond()))
	a.setHalf(record+recordTextBytes, uint32(textBytes))
	a.setHalf(record+recordHeaders, uint32(len(object.Headers)))
	a.setHalf(record+recordChecksums, uint32(len(object.Checksums)))
	length, at := record+recordLengths, a.keyAt(record)
	at += uint64(copy(a.memory[at:], key))
	for text := range object.texts {
		a.setHalf(length, uint32(len(text)))
		length, at = length+4, at+uint64(copy(a.memory[at:], text))
	}
	for slice := range object.Range(0, bodyBytes) {
		at += uint64(copy(a.memory[at:], slice))
	}
	node, ok := a.newNode()
	a.setNumber(record+recordNode, node)
	if !ok {
		a.letGo(record)
		return nil, ErrFull
	}
	kept := &lentObject{Object: *object}
	kept.Rest = nil
	return kept.lend(a, record), nil
}

// told is the record's object without its bytes. All texts are one copy: they may outlive the record, since
// net/http writes headers when the handler has ended.
func (a *arena) told(record uint64) *lentObject {
	at, length := a.textsAt(record), record+recordLengths
	object := &lentObject{lease: lease{told: int64(a.number(record + recordBodyBytes))}}
	object.lent = &object.lease
	object.Modified = time.Unix(int64(a.number(record+recordSeconds)),
		int64(a.half(record+recordNanoseconds)))
	object.tellTexts(string(a.memory[at:at+uint64(a.half(record+recordTextBytes))]),
		int(a.half(record+recordHeaders)), int(a.half(record+recordChecksums)), func() uint32 {
			length += 4
			return a.half(length - 4)
		})
	return object
}

// tellTexts takes the texts of a record apart again.
func (o *lentObject) tellTexts(all string, headers, checksums int, length func() uint32) {
	next := func() (text string) {
		size := length()
		text, all = all[:size], all[size:]
		return text
	}
	o.ETag, o.LastModified, o.ContentType = next(), next(), next()
	if pairs := headers + checksums; pairs > 0 {
		list := make([]Header, pairs)
		for at := range list {
			list[at] = Header{next(), next()}
		}
		o.Headers, o.Checksums = list[:headers:headers], list[headers:]
	}
}

// lend is the record's object with a hold on its bytes. The caller has the record's index locked.
func (a *arena) lend(record uint64) *Object {
	a.holders(record).Add(1)
	return a.told(record).lend(a, record)
}

// lend gives the object the record's bytes, with a hold that is there already.
func (o *lentObject) lend(a *arena, record uint64) *Object {
	o.lease = lease{arena: a, record: record}
	o.Body, o.lent = a.body(record), &o.lease
	return &o.Object
}
