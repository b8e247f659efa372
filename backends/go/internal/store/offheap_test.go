// Tests of what lies off the heap: all of this package run for both indexes, and what only one can get wrong.

package store

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"pausemark/go/internal/core"
)

// newStore makes the store that is tested.
var newStore = New

func offHeap(bytesMax int64) *Store {
	made, err := NewOffHeap(bytesMax)
	if err != nil {
		panic(err)
	}
	return made
}

func TestMain(m *testing.M) {
	code := m.Run()
	if flag.Lookup("test.bench").Value.String() != "" {
		os.Exit(code)
	}
	for name, away := range lending {
		newStore = away
		fmt.Printf("and with the index %s:\n", name)
		code = max(code, m.Run())
	}
	os.Exit(code)
}

// lending are the stores whose objects are elsewhere.
var lending = map[string]func(int64) *Store{"off the heap": offHeap, "in C": inC}

func inC(bytesMax int64) *Store {
	made, err := NewInC(bytesMax)
	if err != nil {
		panic(err)
	}
	return made
}

// onEach runs a test for each of them.
func onEach(t *testing.T, test func(t *testing.T, s *Store, bucket *Bucket)) {
	for name, made := range lending {
		t.Run(name, func(t *testing.T) {
			s := made(1 << 30)
			_ = s.Create("bucket")
			test(t, s, s.Bucket("bucket"))
		})
	}
}

func TestARecordTellsTheObject(t *testing.T) {
	onEach(t, aRecordTellsTheObject)
}

func aRecordTellsTheObject(t *testing.T, s *Store, bucket *Bucket) {
	want := &Object{Body: []byte("one"), Rest: [][]byte{[]byte("two"), nil, []byte("three")}, ETag: `"tag"`,
		Modified: time.Unix(1_700_000_000, 123), LastModified: "then", ContentType: "text/plain",
		Headers: []Header{{"Cache-Control", "none"}, {"x-amz-meta-a", ""}}, Checksums: []Header{{"x", "y"}}}
	if err := bucket.Put("key", want, Condition{}); err != nil {
		t.Fatal(err)
	}
	got := bucket.Get("key")
	if string(got.Body) != "onetwothree" || got.Size() != want.Size() || got.ETag != want.ETag ||
		!got.Modified.Equal(want.Modified) || got.LastModified != want.LastModified ||
		got.ContentType != want.ContentType || !slices.Equal(got.Headers, want.Headers) ||
		!slices.Equal(got.Checksums, want.Checksums) {
		t.Fatalf("got %+v", got)
	}
	entry := bucket.List(Query{Max: 1}).Entries[0]
	if entry.Name != "key" || entry.Object.Size() != want.Size() || entry.Object.ETag != want.ETag {
		t.Fatalf("listed %+v", entry)
	}
	got.LetGo()
	bucket.Delete("key")
	if used := s.OffHeapBytes(); used != 0 || entry.Name != "key" || got.ETag != want.ETag {
		t.Fatalf("%d bytes in use, %q, %q", used, entry.Name, got.ETag)
	}
}

func TestWhatIsReadStaysUntilItIsLetGo(t *testing.T) {
	onEach(t, whatIsReadStaysUntilItIsLetGo)
}

func whatIsReadStaysUntilItIsLetGo(t *testing.T, s *Store, bucket *Bucket) {
	for _, size := range []int{10, 100 << 10} {
		old := bytes.Repeat([]byte{'o'}, size)
		_ = bucket.Put("key", &Object{Body: old}, Condition{})
		one, other := bucket.Get("key"), bucket.Get("key")
		_ = bucket.Put("key", &Object{Body: bytes.Repeat([]byte{'n'}, size)}, Condition{})
		one.LetGo()
		one.LetGo() // has nothing to let go any more
		bucket.Delete("key")
		_ = bucket.Put("next", &Object{Body: bytes.Repeat([]byte{'x'}, size)}, Condition{})
		if !bytes.Equal(other.Body, old) {
			t.Fatal("the bytes that are read are another's")
		}
		other.LetGo()
		bucket.Delete("next")
		if used := s.OffHeapBytes(); used != 0 {
			t.Fatalf("%d bytes in use", used)
		}
	}
}

// heldBytes is what was ever taken for blocks.
func heldBytes(s *Store) uint64 {
	if off, ok := s.keeper.(*arena); ok {
		return off.cut
	}
	return uint64(s.keeper.(*coreKeeper).core.Held())
}

func TestMemoryComesBackToWhereItWas(t *testing.T) {
	onEach(t, memoryComesBackToWhereItWas)
}

func memoryComesBackToWhereItWas(t *testing.T, s *Store, bucket *Bucket) {
	round := func() uint64 {
		random := rand.New(rand.NewPCG(3, 4))
		for number := range 20_000 {
			key := fmt.Sprint(random.IntN(500))
			switch random.IntN(4) {
			case 0:
				bucket.Delete(key)
			case 1:
				bucket.Get(key).LetGo()
			case 2: // one that was kept, where its body came, and comes to nothing
				var room Room
				body, _ := s.NewBody(int64(number%3000), &room)
				if number%5 == 0 { // or a body that comes to nothing itself
					room.Free()
					continue
				}
				kept, _ := s.Keep(key, &Object{Body: body[:number%3000]}, &room)
				if room.Free() {
					t.Fatal("there is still room")
				}
				_ = bucket.Put(key, kept, Condition{Match: []string{"no such tag"}})
				kept.LetGo()
			default:
				_ = bucket.Put(key, &Object{Body: make([]byte, random.IntN(1<<random.IntN(18)))}, Condition{})
			}
		}
		for _, entry := range bucket.List(Query{Max: 1000}).Entries {
			bucket.Delete(entry.Name)
		}
		if used := s.OffHeapBytes(); used != 0 {
			t.Fatalf("%d bytes in use", used)
		}
		return heldBytes(s)
	}
	first := round()
	for range 3 { // levels are random: a class may need a block or two more than before
		if cut := round(); cut > first+first/10 {
			t.Fatalf("%d bytes were cut, %d by the first round", cut, first)
		}
	}
}

func TestAnArenaWithoutABlockRefuses(t *testing.T) {
	s := offHeap(1 << 30)
	_ = s.Create("bucket")
	a, bucket := s.keeper.(*arena), s.Bucket("bucket")
	a.cut = uint64(len(a.memory)) - 200
	if _, err := bucket.store.Keep("key", &Object{Body: make([]byte, 300)}, &Room{}); err != ErrFull {
		t.Fatal(err)
	}
	if err := bucket.Put("key", &Object{Body: make([]byte, 100)}, Condition{}); err != ErrFull { // no node
		t.Fatal(err)
	}
	if used := a.inUse(); used != 0 {
		t.Fatalf("%d bytes in use", used)
	}
}

func TestACoreWithoutMemoryRefuses(t *testing.T) {
	small, _ := newCoreKeeper(0)
	small.core, _ = core.New(2 << 20) // a slab for records, and one for nodes
	s := New(1 << 30)
	s.keeper = small
	_ = s.Create("bucket")
	bucket := s.Bucket("bucket")
	var room Room
	if _, err := s.NewBody(100, &room); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{60 << 10, 1 << 20} {
		var none Room
		if _, err := s.NewBody(size, &none); size > 1<<16 && err != ErrFull || none.Free() == (err != nil) {
			t.Fatal(size, err)
		}
	}
	if _, err := s.Keep("key", &Object{Body: make([]byte, 100)}, &room); err != ErrFull || room.Free() {
		t.Fatal(err)
	}
	if err := bucket.Put("key", &Object{Body: make([]byte, 100)}, Condition{}); err != ErrFull {
		t.Fatal(err)
	}
	if used := s.OffHeapBytes(); used != 0 {
		t.Fatalf("%d bytes in use", used)
	}
}

func TestClassesHoldWhatTheyAreFor(t *testing.T) {
	before, last := uint64(0), 0
	for size := uint64(1); size < 1<<20; size++ {
		class, block := classOf(size)
		if block < size || block%8 != 0 || (size > 32 && block > size+size/4+8) || class < last || class > last+1 ||
			(class == last && size > 1 && block != before) {
			t.Fatalf("size %d: class %d of %d bytes, after %d of %d", size, class, block, last, before)
		}
		before, last = block, class
	}
	if class, _ := classOf(spaceBytesMax); class >= classesMax {
		t.Fatalf("class %d", class)
	}
}

// Bytes in the arena are out of the race detector's sight: so each object has one letter, and readers look.
func TestReadersAndWritersAtOnce(t *testing.T) {
	onEach(t, readersAndWritersAtOnce)
}

func readersAndWritersAtOnce(t *testing.T, s *Store, bucket *Bucket) {
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(5, uint64(worker)))
			for range 5000 {
				key := fmt.Sprint(random.IntN(20))
				switch random.IntN(8) {
				case 0:
					bucket.Delete(key)
				case 1, 2, 3:
					letter := byte('a' + random.IntN(26))
					body := bytes.Repeat([]byte{letter}, 1+random.IntN(5000))
					_ = bucket.Put(key, &Object{Body: body, ETag: string(letter)}, Condition{})
				case 4:
					bucket.List(Query{Max: 20, Delimiter: "1"})
				default:
					object := bucket.Get(key)
					if object != nil && bytes.Count(object.Body, []byte(object.ETag)) != len(object.Body) {
						t.Error("an object has another's bytes")
					}
					object.LetGo()
				}
			}
		})
	}
	all.Wait()
	for _, entry := range bucket.List(Query{Max: 20}).Entries {
		bucket.Delete(entry.Name)
	}
	if used := s.OffHeapBytes(); used != 0 {
		t.Fatalf("%d bytes in use", used)
	}
}

// BenchmarkMarking tells what one forced cycle costs with a million objects of 128 bytes in the store.
func BenchmarkMarking(b *testing.B) {
	for name, made := range map[string]func(int64) *Store{"pointers": New, "offheap": offHeap, "c": inC} {
		b.Run(name, func(b *testing.B) {
			s := made(1 << 30)
			_ = s.Create("bucket")
			bucket := s.Bucket("bucket")
			for number := range 1_000_000 {
				_ = bucket.Put(fmt.Sprintf("key-%07d", number), &Object{Body: make([]byte, 128),
					ETag: fmt.Sprintf(`"%032x"`, number), Modified: time.Now(),
					LastModified: time.Now().Format(time.RFC1123), ContentType: "binary/octet-stream",
					Headers: []Header{{"x-amz-meta-number", fmt.Sprint(number)}}}, Condition{})
			}
			runtime.GC()
			before := processorTime(b)
			for b.Loop() {
				runtime.GC()
			}
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/cycle")
			live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
			metrics.Read(live)
			b.ReportMetric(float64(live[0].Value.Uint64())/(1<<20), "live-MiB")
			runtime.KeepAlive(s)
		})
	}
}

// processorTime is what the process has used: the runtime's own figures count the time that a processor had
// for it, also where another process had it.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
