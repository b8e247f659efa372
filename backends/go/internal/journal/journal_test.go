// Tests of the open journal: order, conditions, segments, limits and failures.

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pausemark/go/internal/store"
)

func settingsFor(directory string, mode Mode) Settings {
	return Settings{Mode: mode, Directory: directory, SyncInterval: time.Millisecond,
		SegmentBytes: SegmentBytesMin, LogBytesMax: 1 << 20, Threads: 1}
}

// opened is a journal, its store, and what its recovery said.
func opened(t *testing.T, settings Settings) (*Journal, *store.Store, string) {
	t.Helper()
	held := store.New(1 << 20)
	var notices bytes.Buffer
	j, err := Open(settings, held, &notices)
	if err != nil {
		t.Fatal(err)
	}
	return j, held, notices.String()
}

func closed(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func onBucket(operation store.Operation) *store.Write {
	return &store.Write{Operation: operation, Bucket: "bucket", Time: time.Now()}
}

func deleted(key string) *store.Write {
	return &store.Write{Operation: store.DeleteObject, Bucket: "bucket", Key: key, Time: time.Now()}
}

// contents is every key with its body.
func contents(held *store.Store) map[string]string {
	all := map[string]string{}
	if bucket := held.Bucket("bucket"); bucket != nil {
		for _, entry := range bucket.List(store.Query{Max: 100_000}).Entries {
			all[entry.Name] = string(entry.Object.Body)
		}
	}
	return all
}

func segments(t *testing.T, directory string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(directory, "segment-*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestEveryModeRecoversAndGoesOn(t *testing.T) {
	for _, mode := range []Mode{Buffered, Interval, Batch, Sync} {
		t.Run(string(mode), func(t *testing.T) {
			settings := settingsFor(t.TempDir(), mode)
			want := map[string]string{}
			for round := range 4 {
				j, held, notices := opened(t, settings)
				if notices != "" || fmt.Sprint(contents(held)) != fmt.Sprint(want) {
					t.Fatalf("round %d: %q, %d keys, want %d", round, notices, len(contents(held)), len(want))
				}
				must(t, j.Write(onBucket(store.CreateBucket)))
				for number := range 30 {
					key, body := fmt.Sprint(number), fmt.Sprint(round, strings.Repeat("x", 200*number))
					must(t, j.Write(put(key, body)))
					want[key] = body
				}
				must(t, j.Write(deleted("3")))
				delete(want, "3")
				closed(t, j)
			}
			if len(segments(t, settings.Directory)) < 10 {
				t.Fatal("the log was to have many segments")
			}
		})
	}
}

func TestManyWritersKeepIndexAndLogInOneOrder(t *testing.T) {
	settings := settingsFor(t.TempDir(), Batch)
	j, held, _ := opened(t, settings)
	must(t, j.Write(onBucket(store.CreateBucket)))
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for number := range 50 {
				key := fmt.Sprint(number % 7)
				if number%5 == 4 {
					if err := j.Write(deleted(key)); err != nil {
						t.Error(err)
					}
				} else if err := j.Write(put(key, fmt.Sprint(worker, number))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	want := contents(held)
	closed(t, j)
	j, held, _ = opened(t, settings)
	defer closed(t, j)
	if got := contents(held); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// Writes that were begun together meet in one batch, where the index does not know them yet.
func TestConditionsSeeTheBatchBeforeThem(t *testing.T) {
	absent := func(key string) *store.Write {
		write := put(key, "new")
		write.Condition.NoneMatch = []string{"*"}
		return write
	}
	over := func(key, before, body string) *store.Write {
		write := put(key, body)
		write.Condition.Match = []string{put(key, before).Object.ETag}
		return write
	}
	for name, test := range map[string]struct {
		writes []*store.Write
		want   []error
		keys   []string
	}{
		"put into a new bucket": {
			[]*store.Write{onBucket(store.CreateBucket), put("k", "")}, []error{nil, nil}, []string{"k"}},
		"put into no bucket": {[]*store.Write{put("k", "")}, []error{store.ErrNoBucket}, nil},
		"put into a bucket that goes": {
			[]*store.Write{onBucket(store.CreateBucket), onBucket(store.DeleteBucket), put("k", "")},
			[]error{nil, nil, store.ErrNoBucket}, nil},
		"bucket that fills": {
			[]*store.Write{onBucket(store.CreateBucket), put("k", ""), onBucket(store.DeleteBucket)},
			[]error{nil, nil, store.ErrNotEmpty}, []string{"k"}},
		"bucket that empties": {
			[]*store.Write{onBucket(store.CreateBucket), put("k", ""), deleted("k"), onBucket(store.DeleteBucket)},
			[]error{nil, nil, nil, nil}, nil},
		"only if absent": {
			[]*store.Write{onBucket(store.CreateBucket), absent("k"), absent("k"), deleted("k"), absent("k")},
			[]error{nil, nil, store.ErrCondition, nil, nil}, []string{"k"}},
		"one of two with one ETag": {
			[]*store.Write{onBucket(store.CreateBucket), put("k", "a"), over("k", "a", "b"), over("k", "a", "c"),
				over("k", "b", "d"), over("l", "a", "b")},
			[]error{nil, nil, nil, store.ErrCondition, nil, store.ErrNoKey}, []string{"k"}},
		"deletion of what the batch puts": {
			[]*store.Write{onBucket(store.CreateBucket), put("k", ""), deleted("k")}, []error{nil, nil, nil}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			settings := settingsFor(t.TempDir(), Batch)
			w, held := writerFor(t, settings)
			queue := newQueue(len(test.writes))
			var waiting []*Pending
			for _, write := range test.writes {
				p := &Pending{}
				must(t, p.Prepare(write, nil))
				waiting = append(waiting, p)
				queue.push(p)
			}
			stop := make(chan struct{})
			close(stop)
			must(t, w.run(queue, stop))
			for at, p := range waiting {
				if err := <-p.done; !errors.Is(err, test.want[at]) {
					t.Errorf("write %d: %v, want %v", at, err, test.want[at])
				}
			}
			w, recovered := writerFor(t, settings)
			defer func() { must(t, w.close()) }()
			for _, state := range []*store.Store{held, recovered} {
				var keys []string
				for key := range contents(state) {
					keys = append(keys, key)
				}
				if !slices.Equal(keys, test.keys) {
					t.Errorf("keys %q, want %q", keys, test.keys)
				}
			}
		})
	}
}

func writerFor(t *testing.T, settings Settings) (*writer, *store.Store) {
	t.Helper()
	held := store.New(1 << 20)
	w, err := openWriter(settings, held, os.Stderr)
	must(t, err)
	return w, held
}

func TestWhatChangesNothingLeavesNoRecord(t *testing.T) {
	settings := settingsFor(t.TempDir(), Sync)
	j, _, _ := opened(t, settings)
	must(t, j.Write(onBucket(store.CreateBucket)))
	must(t, j.Write(onBucket(store.CreateBucket)))
	must(t, j.Write(deleted("never")))
	closed(t, j)
	w, _ := writerFor(t, settings)
	if w.nextLSN != 2 {
		t.Errorf("%d records, want 1", w.nextLSN-1)
	}
	must(t, w.close())
}

// A failed sync fails every write that waits, then and later, and ends the writer.
func TestAFailedDeviceFailsTheWaitersAndEndsTheWriter(t *testing.T) {
	for name, plant := range map[string]func(*writer, *atomic.Bool, chan struct{}){
		"sync": func(w *writer, broken *atomic.Bool, reached chan struct{}) {
			w.sync = func(file *os.File) error {
				if !broken.Load() {
					return dataSync(file)
				}
				<-reached
				return syscall.EIO
			}
		},
		"write": func(w *writer, broken *atomic.Bool, reached chan struct{}) {
			w.write = func(file *os.File, parts []syscall.Iovec, offset int64) error {
				if !broken.Load() {
					return vectorWrite(file, parts, offset)
				}
				<-reached
				return syscall.EIO
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			settings := settingsFor(t.TempDir(), Batch)
			lock, err := lockDirectory(settings.Directory)
			must(t, err)
			w, held := writerFor(t, settings)
			var broken atomic.Bool
			reached := make(chan struct{})
			plant(w, &broken, reached)
			j := start(w, lock, 16)
			must(t, j.Write(onBucket(store.CreateBucket)))
			must(t, j.Write(put("kept", "x")))
			broken.Store(true)
			var waits []func() error
			for number := range 5 { // some in the batch that fails, some behind it in the queue
				waits = append(waits, j.Begin(put(fmt.Sprint(number), "lost")))
			}
			close(reached)
			for at, wait := range waits {
				if err := wait(); !errors.Is(err, ErrFailed) {
					t.Errorf("write %d: %v", at, err)
				}
			}
			if err := j.Failure(); !errors.Is(err, syscall.EIO) {
				t.Fatal(err)
			}
			if err := j.Write(put("later", "")); !errors.Is(err, ErrFailed) {
				t.Error(err)
			}
			if got := contents(held); len(got) != 1 || got["kept"] != "x" {
				t.Errorf("nobody may read what could be lost: %v", got)
			}
			if err := j.Close(); !errors.Is(err, syscall.EIO) {
				t.Error(err)
			}
		})
	}
}

func TestAFailedIntervalSyncEndsTheWriterWithoutAWrite(t *testing.T) {
	settings := settingsFor(t.TempDir(), Interval)
	lock, err := lockDirectory(settings.Directory)
	must(t, err)
	w, _ := writerFor(t, settings)
	w.sync = func(*os.File) error { return syscall.EIO }
	j := start(w, lock, 1)
	must(t, j.Write(onBucket(store.CreateBucket)))
	select {
	case <-j.Ended():
	case <-time.After(10 * time.Second):
		t.Fatal("the writer goes on")
	}
	if err := j.Close(); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
}

func TestAFullQueueIsRefusedAtOnce(t *testing.T) {
	settings := settingsFor(t.TempDir(), Batch)
	lock, err := lockDirectory(settings.Directory)
	must(t, err)
	w, _ := writerFor(t, settings)
	reached, release := make(chan struct{}, 16), make(chan struct{})
	w.sync = func(file *os.File) error {
		reached <- struct{}{}
		<-release
		return dataSync(file)
	}
	j := start(w, lock, 2)
	waits := []func() error{j.Begin(onBucket(store.CreateBucket))}
	<-reached
	waits = append(waits, j.Begin(put("1", "")), j.Begin(put("2", "")))
	if err := j.Write(put("3", "")); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	close(release)
	for _, wait := range waits {
		must(t, wait())
	}
	closed(t, j)
}

func TestAFullLogRefusesWritesAndKeepsWhatItHas(t *testing.T) {
	settings := settingsFor(t.TempDir(), Batch)
	settings.LogBytesMax = 3 * settings.SegmentBytes
	j, held, _ := opened(t, settings)
	must(t, j.Write(onBucket(store.CreateBucket)))
	accepted := 0
	for ; accepted < 100; accepted++ {
		err := j.Write(put(fmt.Sprint(accepted), strings.Repeat("x", 1000)))
		if errors.Is(err, ErrFull) {
			break
		}
		must(t, err)
	}
	if accepted != 9 {
		t.Errorf("%d records of 1100 bytes in three segments of 4096", accepted)
	}
	if err := j.Write(put("large", strings.Repeat("x", 5000))); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	must(t, j.Write(deleted("0"))) // the rest of the segment is still there
	want := contents(held)
	closed(t, j)
	j, held, _ = opened(t, settings)
	defer closed(t, j)
	if got := contents(held); len(got) != 8 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d keys", len(got))
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	settings := settingsFor(t.TempDir(), Batch)
	j, _, _ := opened(t, settings)
	if _, err := Open(settings, store.New(1), os.Stderr); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Error(err)
	}
	closed(t, j)
	j, _, _ = opened(t, settings)
	closed(t, j)
	if err := j.Write(put("k", "")); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestPartialWritesGoOnWhereTheyStopped(t *testing.T) {
	text := []byte("abcdefghij")
	parts := []syscall.Iovec{{Base: &text[0], Len: 4}, {Base: &text[4], Len: 6}}
	rest := skipWritten(parts, 4)
	if len(rest) != 1 || rest[0].Base != &text[4] || rest[0].Len != 6 {
		t.Fatalf("%+v", rest)
	}
	rest = skipWritten(rest, 2)
	if len(rest) != 1 || rest[0].Base != &text[6] || rest[0].Len != 4 {
		t.Fatalf("%+v", rest)
	}
	if rest = skipWritten(rest, 4); len(rest) != 0 {
		t.Fatalf("%+v", rest)
	}
}

func TestMoreSlicesThanTheKernelTakesAtOnceAreOneRecord(t *testing.T) {
	settings := settingsFor(t.TempDir(), Batch)
	j, _, _ := opened(t, settings)
	must(t, j.Write(onBucket(store.CreateBucket)))
	several := put("k", strings.Repeat("ab", 3*vectorsMax))
	body := several.Object.Body
	several.Object.Body = body[:2]
	for at := 2; at < len(body); at += 2 {
		several.Object.Rest = append(several.Object.Rest, body[at:at+2])
	}
	must(t, j.Write(several))
	closed(t, j)
	j, held, _ := opened(t, settings)
	if got := held.Bucket("bucket").Get("k"); got == nil || !bytes.Equal(got.Body, body) {
		t.Error("another body")
	}
	closed(t, j)
}
