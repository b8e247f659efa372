// A hash table of handles: open addressing in memory without a pointer, so that it is not scanned.

package store

const (
	// tablesCount parts each grow on their own, so that none keeps the bucket's lock for long.
	tablesCount  = 64
	slotsAtLeast = 16
)

// slot is empty where its node is 0. The whole hash is there so that growing reads nothing else.
type slot struct {
	hash uint64
	node uint64
}

// table is one of the parts; the upper bits of a hash choose it, the lower ones a slot.
type table struct {
	slots []slot
	count int
}

// find returns where the node of this hash is for which matches holds.
func (t *table) find(hash uint64, matches func(node uint64) bool) (at int, found bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	mask := len(t.slots) - 1
	for at = int(hash) & mask; t.slots[at].node != 0; at = (at + 1) & mask {
		if t.slots[at].hash == hash && matches(t.slots[at].node) {
			return at, true
		}
	}
	return at, false
}

// add adds a node that is not there yet.
func (t *table) add(hash, node uint64) {
	if 4*(t.count+1) > 3*len(t.slots) {
		old := t.slots
		t.slots = make([]slot, max(slotsAtLeast, 2*len(old)))
		for _, one := range old {
			if one.node != 0 {
				t.place(one)
			}
		}
	}
	t.place(slot{hash, node})
	t.count++
}

func (t *table) place(one slot) {
	mask := len(t.slots) - 1
	at := int(one.hash) & mask
	for t.slots[at].node != 0 {
		at = (at + 1) & mask
	}
	t.slots[at] = one
}

// remove empties a slot and moves back what stands behind it and came from before it.
func (t *table) remove(at int) {
	mask := len(t.slots) - 1
	hole := at
	for next := (at + 1) & mask; t.slots[next].node != 0; next = (next + 1) & mask {
		home := int(t.slots[next].hash) & mask
		if (next-home)&mask >= (next-hole)&mask {
			t.slots[hole] = t.slots[next]
			hole = next
		}
	}
	t.slots[hole] = slot{}
	if t.count--; t.count == 0 {
		t.slots = nil
	}
}
