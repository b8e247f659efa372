// Recovery: the log is read into the index, its torn tail is dropped, its corruption is refused.

package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pausemark/go/internal/store"
)

// recovery reads segments one at a time into one buffer.
type recovery struct {
	directory string
	store     *store.Store
	names     []string
	sizes     []int64
	buffer    []byte
	nextLSN   uint64
	last      segment // where the log goes on; its file is not open
	dropped   int64   // bytes behind the hole that were not zero
}

// hole is the first place that is not what it must be.
type hole struct {
	index  int   // of its segment
	offset int64 // 0: the segment's header
	lsn    uint64
	why    string
}

// openWriter recovers the directory's log and returns the writer that goes on behind it.
func openWriter(settings Settings, into *store.Store, notices io.Writer) (*writer, error) {
	r := &recovery{directory: settings.Directory, store: into, nextLSN: 1}
	if err := r.findSegments(); err != nil {
		return nil, err
	}
	torn, err := r.replay()
	if err != nil {
		return nil, err
	}
	if torn != nil {
		if err := r.judge(torn); err != nil {
			return nil, err
		}
	}
	if used, bytesMax := into.Usage(); used > bytesMax {
		return nil, fmt.Errorf("%s: expected at most %d bytes (--store-bytes-max), got %d",
			settings.Directory, bytesMax, used)
	}
	if torn != nil {
		if err := r.drop(torn, notices); err != nil {
			return nil, err
		}
	}
	return r.goOn(settings)
}

// findSegments lists the segments by name and removes what was never finished.
func (r *recovery) findSegments() error {
	entries, err := os.ReadDir(r.directory) // sorted by name
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasSuffix(name, blankSuffix) { // of any language
			if err := os.Remove(filepath.Join(r.directory, name)); err != nil {
				return err
			}
		}
		var first uint64
		count, err := fmt.Sscanf(name, "segment-%x.log", &first)
		if err != nil || count != 1 || name != segmentName(first) {
			continue
		}
		information, err := entry.Info()
		if err != nil {
			return err
		}
		r.names = append(r.names, name)
		r.sizes = append(r.sizes, information.Size())
	}
	return nil
}

func (r *recovery) path(index int) string {
	return filepath.Join(r.directory, r.names[index])
}

// load reads a segment into the buffer, which the next one reuses.
func (r *recovery) load(index int) ([]byte, error) {
	file, err := os.Open(r.path(index))
	if err != nil {
		return nil, err
	}
	if int64(cap(r.buffer)) < r.sizes[index] {
		r.buffer = make([]byte, r.sizes[index])
	}
	data := r.buffer[:r.sizes[index]]
	_, err = io.ReadFull(file, data)
	return data, errors.Join(err, file.Close())
}

// replay applies every record up to the hole, which is nil where the log ends as it should.
func (r *recovery) replay() (*hole, error) {
	for index, name := range r.names {
		data, err := r.load(index)
		if err != nil {
			return nil, err
		}
		head, ok := readSegmentHead(data)
		if !ok {
			return &hole{index, 0, r.nextLSN, "no valid header"}, nil
		}
		if name != segmentName(head.first) {
			return nil, corruption(name, 0, head.first, "the name is another segment's")
		}
		if head.first != r.nextLSN || head.epoch != uint32(index)+1 {
			return r.missing(index), nil
		}
		r.last = segment{nil, name, head.epoch, head.size, segmentHeadBytes}
		found, err := r.replaySegment(index, data)
		if found != nil || err != nil {
			return found, err
		}
		if index == len(r.names)-1 && !allZeros(data[r.last.offset:]) {
			return &hole{index, r.last.offset, r.nextLSN, "no record"}, nil
		}
	}
	return nil, nil
}

// missing is the hole before a segment that does not go on where the one before it ended.
func (r *recovery) missing(index int) *hole {
	if index == 0 {
		return &hole{0, 0, r.nextLSN, "not the first segment"}
	}
	return &hole{index - 1, r.last.offset, r.nextLSN, "no record"}
}

func (r *recovery) replaySegment(index int, data []byte) (*hole, error) {
	for int64(len(data))-r.last.offset >= recordHeadBytes {
		rest := data[r.last.offset:]
		if allZeros(rest[:recordHeadBytes]) {
			return nil, nil
		}
		found, ok := readRecord(rest)
		if !ok || found.epoch != r.last.epoch || found.lsn != r.nextLSN || !found.intact(rest) {
			return &hole{index, r.last.offset, r.nextLSN, "no valid record"}, nil
		}
		write, err := found.write()
		if err == nil {
			err = r.store.Restore(write)
		}
		if err != nil { // nobody writes such a record, so no crash explains it
			return nil, corruption(r.names[index], r.last.offset, r.nextLSN, err.Error())
		}
		r.last.offset = min(r.last.offset+padded(found.length), int64(len(data)))
		r.nextLSN++
	}
	return nil, nil
}

// drop takes away what lies behind the hole: later segments from the last one on, then the rest.
func (r *recovery) drop(h *hole, notices io.Writer) error {
	keep := h.index + 1
	if h.offset == 0 {
		keep = h.index
	}
	gone := len(r.names) - keep
	_, err := fmt.Fprintf(notices,
		"log: torn tail: dropped %d bytes and %d segments behind %s at offset %d, LSN %d\n",
		r.dropped, gone, r.names[h.index], h.offset, h.lsn)
	for index := len(r.names) - 1; index >= keep && err == nil; index-- {
		err = os.Remove(r.path(index))
	}
	if err != nil {
		return err
	}
	r.names, r.sizes = r.names[:keep], r.sizes[:keep]
	if err := syncDirectory(r.directory); err != nil || keep == 0 {
		return err
	}
	file, err := os.OpenFile(r.path(keep-1), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(fillZeros(file, r.last.offset, r.last.size), dataSync(file), file.Close())
}

// goOn makes all that was read durable, which its writer may not have done, and opens the last segment.
func (r *recovery) goOn(settings Settings) (*writer, error) {
	w := &writer{settings: settings, store: r.store, nextLSN: r.nextLSN, durable: r.nextLSN - 1,
		sync: dataSync, write: vectorWrite}
	for index, size := range r.sizes {
		w.total += size
		file, err := os.OpenFile(r.path(index), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		if err := dataSync(file); err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if index < len(r.sizes)-1 {
			if err := file.Close(); err != nil {
				return nil, err
			}
			continue
		}
		last := r.last
		last.file = file
		w.current = &last
	}
	w.batch = slices.Grow(w.batch, batchRecordsMax)
	w.maker = newMaker(settings.Directory, settings.SegmentBytes)
	if w.current == nil {
		if err := w.roll(0); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}
