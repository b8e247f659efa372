// Tests of recovery: torn tails at every byte, and corruption told from them by the durable LSN.

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pausemark/go/internal/store"
)

// place is where a record of a log that writeLog made stands.
type place struct {
	path   string
	offset int64
	length int64
}

// writeLog writes a log with stated claims: a bucket, then the objects 2, 3, … named after their LSNs.
func writeLog(t testing.TB, directory string, records int, bodyBytes int, durable func(lsn uint64) uint64) []place {
	t.Helper()
	var places []place
	var data []byte
	var head segmentHead
	flush := func() {
		if data != nil {
			must(t, os.WriteFile(filepath.Join(directory, segmentName(head.first)), data, fileMode))
		}
	}
	offset := int64(SegmentBytesMin)
	for lsn := uint64(1); lsn <= uint64(records); lsn++ {
		write := onBucket(store.CreateBucket)
		if lsn > 1 {
			write = put(fmt.Sprint(lsn), strings.Repeat("x", bodyBytes))
		}
		made, err := newDraft(write)
		must(t, err)
		if offset+padded(made.bytes()) > SegmentBytesMin {
			flush()
			head = segmentHead{head.epoch + 1, lsn, SegmentBytesMin}
			data, offset = make([]byte, SegmentBytesMin), segmentHeadBytes
			copy(data, head.encode())
		}
		record := encoded(t, write, stamp{lsn, durable(lsn), head.epoch})
		copy(data[offset:], record)
		places = append(places, place{filepath.Join(directory, segmentName(head.first)), offset, int64(len(record))})
		offset += padded(int64(len(record)))
	}
	flush()
	return places
}

// Claims as the modes make them.
func allSynced(lsn uint64) uint64 { return lsn - 1 }
func noneSynced(uint64) uint64    { return 0 }

func edit(t *testing.T, path string, change func(data []byte)) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	change(data)
	must(t, os.WriteFile(path, data, fileMode))
}

func damage(t *testing.T, at place, by int64) {
	t.Helper()
	edit(t, at.path, func(data []byte) { data[at.offset+by] ^= 0xFF })
}

func blankOut(t *testing.T, at place) {
	t.Helper()
	edit(t, at.path, func(data []byte) { clear(data[at.offset : at.offset+at.length]) })
}

// expectDropped recovers so many records, goes on behind them, and recovers again what that made.
func expectDropped(t *testing.T, directory string, records int) {
	t.Helper()
	settings := settingsFor(directory, Batch)
	j, held, notices := opened(t, settings)
	if strings.Count(notices, "\n") != 1 || !strings.Contains(notices, fmt.Sprintf("LSN %d", records+1)) {
		t.Errorf("said %q", notices)
	}
	if got := len(contents(held)); got != max(records-1, 0) {
		t.Errorf("%d objects, want %d", got, records-1)
	}
	must(t, j.Write(onBucket(store.CreateBucket)))
	for number := range 12 {
		must(t, j.Write(put(fmt.Sprintf("new-%d", number), strings.Repeat("y", 700))))
	}
	want := contents(held)
	closed(t, j)
	j, held, notices = opened(t, settings)
	if got := contents(held); notices != "" || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("then said %q, %d objects, want %d", notices, len(got), len(want))
	}
	closed(t, j)
}

// expectRefused also sees that a refused start changes nothing.
func expectRefused(t *testing.T, directory string, words ...string) {
	t.Helper()
	before := bytesOf(t, directory)
	_, err := Open(settingsFor(directory, Batch), store.New(1<<20), os.Stderr)
	if !errors.Is(err, ErrCorrupt) {
		t.Fatalf("not refused: %v", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	if !bytes.Equal(before, bytesOf(t, directory)) {
		t.Error("a refused start changed the log")
	}
}

func bytesOf(t *testing.T, directory string) []byte {
	t.Helper()
	var all []byte
	for _, path := range segments(t, directory) {
		data, err := os.ReadFile(path)
		must(t, err)
		all = append(append(all, path...), data...)
	}
	return all
}

func TestATailTornAtAnyByteIsDropped(t *testing.T) {
	whole := t.TempDir()
	places := writeLog(t, whole, 3, 20, allSynced)
	last := places[len(places)-1]
	data, err := os.ReadFile(last.path)
	must(t, err)
	for cut := int64(1); cut < last.length; cut++ {
		directory := t.TempDir()
		torn := bytes.Clone(data)
		clear(torn[last.offset+cut:])
		must(t, os.WriteFile(filepath.Join(directory, filepath.Base(last.path)), torn, fileMode))
		expectDropped(t, directory, 2)
		if t.Failed() {
			t.Fatalf("torn at byte %d of %d", cut, last.length)
		}
	}
}

func TestAnyDamagedByteOfTheLastRecordDropsIt(t *testing.T) {
	for by := int64(0); ; by++ {
		directory := t.TempDir()
		places := writeLog(t, directory, 3, 20, allSynced)
		if by == places[2].length {
			return
		}
		damage(t, places[2], by)
		expectDropped(t, directory, 2)
		if t.Failed() {
			t.Fatalf("damaged at byte %d", by)
		}
	}
}

func TestTheDurableLSNTellsCorruptionFromATornTail(t *testing.T) {
	claims := func(most uint64) func(uint64) uint64 {
		return func(lsn uint64) uint64 { return min(most, lsn-1) }
	}
	for name, test := range map[string]struct {
		records   int
		bodyBytes int // 1500: two records a segment
		durable   func(uint64) uint64
		damage    func(*testing.T, place)
		corrupt   bool
	}{
		"synced":                          {6, 20, allSynced, flip, true},
		"never synced":                    {6, 20, noneSynced, flip, false},
		"synced up to the hole":           {6, 20, claims(3), flip, true},
		"synced up to before the hole":    {6, 20, claims(2), flip, false},
		"zeros, synced":                   {6, 20, allSynced, blankOut, true},
		"zeros, not synced":               {6, 20, claims(2), blankOut, false},
		"later segments, synced":          {8, 1500, onlyLast(8, 3), flip, true},
		"later segments, not synced":      {8, 1500, onlyLast(8, 2), flip, false},
		"zeros and later segments":        {8, 1500, onlyLast(8, 3), blankOut, true},
		"zeros, later segments, unsynced": {8, 1500, noneSynced, blankOut, false},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			places := writeLog(t, directory, test.records, test.bodyBytes, test.durable)
			test.damage(t, places[2])
			if test.corrupt {
				expectRefused(t, directory, filepath.Base(places[2].path),
					fmt.Sprintf("offset %d:", places[2].offset), "LSN 3")
			} else {
				expectDropped(t, directory, 2)
			}
		})
	}
}

func flip(t *testing.T, at place) {
	t.Helper()
	damage(t, at, at.length-1)
}

// onlyLast is a log whose last record alone claims anything.
func onlyLast(last, claim uint64) func(uint64) uint64 {
	return func(lsn uint64) uint64 {
		if lsn == last {
			return claim
		}
		return 0
	}
}

// New records of the same length end where an old one begins, which must not fit again.
func TestDroppedRecordsNeverComeBack(t *testing.T) {
	directory := t.TempDir()
	places := writeLog(t, directory, 6, 20, noneSynced)
	blankOut(t, places[2])
	j, _, _ := opened(t, settingsFor(directory, Batch))
	must(t, j.Write(put("7", strings.Repeat("x", 20))))
	closed(t, j)
	j, held, notices := opened(t, settingsFor(directory, Batch))
	defer closed(t, j)
	if got := contents(held); notices != "" || len(got) != 2 || got["7"] == "" || got["2"] == "" {
		t.Errorf("%q %v", notices, got)
	}
}

func TestSegmentsThatAreNotWhatTheyMustBe(t *testing.T) {
	claimLast := onlyLast(8, 7)
	for name, test := range map[string]struct {
		durable func(uint64) uint64
		change  func(t *testing.T, paths []string)
		corrupt bool
		records int
	}{
		"missing, synced": {claimLast, func(t *testing.T, paths []string) { must(t, os.Remove(paths[1])) }, true, 0},
		"missing, not synced": {noneSynced, func(t *testing.T, paths []string) { must(t, os.Remove(paths[1])) },
			false, 3},
		"first missing": {claimLast, func(t *testing.T, paths []string) { must(t, os.Remove(paths[0])) }, true, 0},
		"broken header before records": {noneSynced, func(t *testing.T, paths []string) {
			edit(t, paths[2], func(data []byte) { data[16] ^= 1 })
		}, true, 0},
		"broken header before segments with records": {noneSynced, func(t *testing.T, paths []string) {
			edit(t, paths[1], func(data []byte) { clear(data) })
		}, true, 0},
		"last segment without header and records": {claimLast, func(t *testing.T, paths []string) {
			edit(t, paths[len(paths)-1], func(data []byte) { clear(data) })
		}, false, 7},
		"shortened": {noneSynced, func(t *testing.T, paths []string) {
			must(t, os.Truncate(paths[1], SegmentBytesMin-8))
		}, true, 0},
		"renamed": {noneSynced, func(t *testing.T, paths []string) {
			must(t, os.Rename(paths[1], filepath.Join(filepath.Dir(paths[1]), segmentName(5))))
		}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			writeLog(t, directory, 8, 1500, test.durable)
			test.change(t, segments(t, directory))
			if test.corrupt {
				expectRefused(t, directory)
			} else {
				expectDropped(t, directory, test.records)
			}
		})
	}
}

func TestARecordThatCannotBeAppliedIsRefused(t *testing.T) {
	directory := t.TempDir()
	data := make([]byte, SegmentBytesMin)
	copy(data, segmentHead{1, 1, SegmentBytesMin}.encode())
	copy(data[segmentHeadBytes:], encoded(t, put("k", ""), stamp{1, 0, 1}))
	must(t, os.WriteFile(filepath.Join(directory, segmentName(1)), data, fileMode))
	expectRefused(t, directory, "offset 64:", "LSN 1", store.ErrNoBucket.Error())
}

func TestUnfinishedSegmentsAreRemovedAndNothingElse(t *testing.T) {
	directory := t.TempDir()
	writeLog(t, directory, 2, 20, allSynced)
	others := []string{"notes.txt", "segment-2.log", "segment-000000000000000G.log"}
	unfinished := []string{"ahead.new", "segment-0000000000000003.log.new"}
	for _, name := range append(others, unfinished...) {
		must(t, os.WriteFile(filepath.Join(directory, name), []byte("half"), fileMode))
	}
	w, _ := writerFor(t, settingsFor(directory, Batch))
	must(t, w.close())
	for _, name := range others {
		if _, err := os.Stat(filepath.Join(directory, name)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range unfinished {
		if _, err := os.Stat(filepath.Join(directory, name)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
}

func TestMoreThanTheStoreTakesIsToldWithItsSizes(t *testing.T) {
	directory := t.TempDir()
	writeLog(t, directory, 4, 1000, allSynced)
	_, err := Open(settingsFor(directory, Batch), store.New(2999), os.Stderr)
	if err == nil || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "2999") ||
		!strings.Contains(err.Error(), "3000") {
		t.Error(err)
	}
	j, err := Open(settingsFor(directory, Batch), store.New(3000), os.Stderr)
	must(t, err)
	closed(t, j)
}
