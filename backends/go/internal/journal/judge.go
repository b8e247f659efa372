// Judges a hole in the log: a torn tail, which nobody was promised, or corruption.

package journal

import (
	"bytes"
	"fmt"
)

// judge refuses a hole behind which something knows that it had been synced.
func (r *recovery) judge(h *hole) error {
	headless := false // behind a header that is not valid, any valid record is proof
	for index := h.index; index < len(r.names); index++ {
		data, err := r.load(index)
		if err != nil {
			return err
		}
		head, ok := readSegmentHead(data)
		headless = headless || !ok
		from := int64(segmentHeadBytes)
		if index == h.index {
			from = max(from, h.offset)
			r.dropped = 0
		}
		from = min(from, int64(len(data)))
		r.dropped += int64(len(bytes.TrimRight(data[from:], "\x00")))
		for at := range recordsIn(data, from) {
			found, _ := readRecord(data[at:])
			known := headless || (found.lsn > h.lsn && found.durable >= h.lsn)
			if known && (!ok || found.epoch == head.epoch) && found.intact(data[at:]) {
				return corruption(r.names[h.index], h.offset, h.lsn, fmt.Sprintf(
					"%s, and record %d in %s was written later", h.why, found.lsn, segmentOf(r, h, index)))
			}
		}
	}
	return nil
}

// segmentOf says where without naming a second file: the line names the one that is damaged.
func segmentOf(r *recovery, h *hole, index int) string {
	if index == h.index {
		return "the same segment"
	}
	return fmt.Sprintf("segment %d of %d", index+1, len(r.names))
}

// recordsIn yields every place that may be a record's begin; checksums are the caller's to compare.
func recordsIn(data []byte, from int64) func(yield func(int64) bool) {
	return func(yield func(int64) bool) {
		for at := from; at < int64(len(data)); at++ {
			next := bytes.Index(data[at:], []byte(recordMagic))
			if next < 0 {
				return
			}
			at += int64(next)
			if at%recordAlign != 0 {
				continue
			}
			if _, ok := readRecord(data[at:]); ok && !yield(at) {
				return
			}
		}
	}
}

func corruption(name string, offset int64, lsn uint64, why string) error {
	return fmt.Errorf("%w: %s at offset %d: expected LSN %d, got %s", ErrCorrupt, name, offset, lsn, why)
}
