// Tests of what records say of each other: LSNs without a gap, and durable LSNs that are true.

package journal

import (
	"os"
	"slices"
	"testing"

	"pausemark/go/internal/store"
)

// claimsOf is the durable LSN of every record of a log of one segment.
func claimsOf(t *testing.T, directory string) []uint64 {
	t.Helper()
	data, err := os.ReadFile(segments(t, directory)[0])
	must(t, err)
	var claims []uint64
	for at := int64(segmentHeadBytes); ; {
		found, ok := readRecord(data[at:])
		if !ok {
			return claims
		}
		if found.lsn != uint64(len(claims))+1 || !found.intact(data[at:]) {
			t.Fatalf("record %d says LSN %d", len(claims)+1, found.lsn)
		}
		claims = append(claims, found.durable)
		at += padded(found.length)
	}
}

func TestClaimsAreWhatWasSynced(t *testing.T) {
	for mode, wanted := range map[Mode][]uint64{
		Batch:    {0, 1, 2, 3, 4, 5, 6},
		Sync:     {0, 1, 2, 3, 4, 5, 6},
		Buffered: {0, 0, 0, 0, 4, 4, 4}, // recovery syncs what it reads
	} {
		directory := t.TempDir()
		for range 2 {
			j, _, _ := opened(t, settingsFor(directory, mode))
			must(t, j.Write(onBucket(store.CreateBucket)))
			for range 3 {
				must(t, j.Write(put("k", "x")))
			}
			closed(t, j)
		}
		claims := claimsOf(t, directory)
		if !slices.Equal(claims, wanted) {
			t.Errorf("%s: %v, want %v", mode, claims, wanted)
		}
	}
}

func TestARecordWithAnotherLSNIsAHole(t *testing.T) {
	directory := t.TempDir()
	places := writeLog(t, directory, 3, 20, noneSynced)
	edit(t, places[2].path, func(data []byte) {
		copy(data[places[2].offset:], data[places[1].offset:places[1].offset+places[1].length])
	})
	expectDropped(t, directory, 2)
}
