// What any bytes do to recovery: two segments, with their CRCs put right first or left wrong.

package journal

import (
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"testing"

	"pausemark/go/internal/store"
)

const fuzzedSegmentBytesMax = 16 << 10

// FuzzRecovery starts on a log of any bytes: it is refused, or what was recovered is recovered again.
func FuzzRecovery(f *testing.F) {
	for _, records := range []int{1, 2, 5} {
		for _, claims := range []func(uint64) uint64{allSynced, noneSynced} {
			first, second := seedLog(f, records, claims)
			f.Add(first, second, uint8(records), true)
			f.Add(first[:len(first)/2], second, uint8(2), false)
		}
	}
	f.Fuzz(func(t *testing.T, first, second []byte, secondLSN uint8, mend bool) {
		if len(first) > fuzzedSegmentBytesMax || len(second) > fuzzedSegmentBytesMax {
			return
		}
		if mend {
			putChecksums(first)
			putChecksums(second)
		}
		directory := t.TempDir()
		if len(second) > 0 && secondLSN != 1 {
			must(t, os.WriteFile(filepath.Join(directory, segmentName(uint64(secondLSN))), second, fileMode))
		}
		must(t, os.WriteFile(filepath.Join(directory, segmentName(1)), first, fileMode))
		recoverTwice(t, directory)
	})
}

// seedLog is a log of one segment, or of two.
func seedLog(f *testing.F, records int, claims func(uint64) uint64) (first, second []byte) {
	for _, one := range writeLog(f, f.TempDir(), records, 1300, claims) {
		data, err := os.ReadFile(one.path)
		if err != nil {
			f.Fatal(err)
		}
		if first == nil {
			first = data
		}
		second = data
	}
	return first, second
}

// putChecksums puts right what random bytes hardly ever have right.
func putChecksums(data []byte) {
	if len(data) < segmentHeadBytes {
		return
	}
	littleEndian.PutUint64(data[24:], uint64(len(data)))
	littleEndian.PutUint32(data[32:], crc32.Checksum(data[:32], castagnoli))
	for at := int64(segmentHeadBytes); at+recordHeadBytes <= int64(len(data)); {
		length := littleEndian.Uint64(data[at+8:])
		if length < recordHeadBytes || length > uint64(int64(len(data))-at) {
			return
		}
		end := at + int64(length)
		littleEndian.PutUint32(data[at+4:], crc32.Checksum(data[at+crcFrom:end], castagnoli))
		at += padded(int64(length))
	}
}

func recoverTwice(t *testing.T, directory string) {
	settings := settingsFor(directory, Batch)
	held := store.New(1 << 20)
	w, err := openWriter(settings, held, io.Discard)
	if err != nil {
		return // refused
	}
	lsn, want := w.nextLSN, contents(held)
	must(t, w.close())
	again := store.New(1 << 20)
	w, err = openWriter(settings, again, io.Discard)
	must(t, err)
	defer func() { must(t, w.close()) }()
	got := contents(again)
	if w.nextLSN != lsn || len(got) != len(want) {
		t.Fatalf("LSN %d and %d keys, then %d and %d", lsn, len(want), w.nextLSN, len(got))
	}
	for key, body := range want {
		if got[key] != body {
			t.Fatalf("%q: %q, then %q", key, body, got[key])
		}
	}
}
