// Tests of the store and its listings.

package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

func filled(t *testing.T, keys ...string) *Bucket {
	t.Helper()
	s := newStore(1 << 20)
	s.Create("bucket")
	bucket := s.Bucket("bucket")
	for _, key := range keys {
		if err := bucket.Put(key, &Object{}, Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	return bucket
}

func names(page Page) []string {
	var all []string
	for _, entry := range page.Entries {
		all = append(all, entry.Name)
	}
	return all
}

func TestListing(t *testing.T) {
	bucket := filled(t, "b/2", "a", "c", "b/1", "b", "a/x")
	for name, test := range map[string]struct {
		query     Query
		want      []string
		truncated bool
	}{
		"all":                   {Query{Max: 9}, []string{"a", "a/x", "b", "b/1", "b/2", "c"}, false},
		"none asked":            {Query{}, nil, false},
		"exactly full":          {Query{Max: 6}, []string{"a", "a/x", "b", "b/1", "b/2", "c"}, false},
		"delimiter":             {Query{Delimiter: "/", Max: 9}, []string{"a", "a/", "b", "b/", "c"}, false},
		"truncated at a prefix": {Query{Delimiter: "/", Max: 2}, []string{"a", "a/"}, true},
		"after a prefix":        {Query{Delimiter: "/", After: "a/", Max: 9}, []string{"b", "b/", "c"}, false},
		"prefix and delimiter":  {Query{Prefix: "b/", Delimiter: "/", Max: 9}, []string{"b/1", "b/2"}, false},
		"after a key":           {Query{After: "b/1", Max: 9}, []string{"b/2", "c"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			page := bucket.List(test.query)
			if !slices.Equal(names(page), test.want) || page.Truncated != test.truncated {
				t.Fatalf("got %q, truncated %v", names(page), page.Truncated)
			}
		})
	}
}

func TestRandomInsertionsAndRemovalsKeepTheOrder(t *testing.T) {
	bucket := filled(t)
	random := rand.New(rand.NewPCG(1, 2))
	want := map[string]bool{}
	for range 20000 {
		key := fmt.Sprintf("%04d", random.IntN(5000))
		if random.IntN(3) == 0 {
			bucket.Delete(key)
			delete(want, key)
		} else if err := bucket.Put(key, &Object{}, Condition{}); err == nil {
			want[key] = true
		}
	}
	got := names(bucket.List(Query{Max: 10000}))
	if len(got) != len(want) || !slices.IsSorted(got) {
		t.Fatalf("%d keys, want %d, sorted %v", len(got), len(want), slices.IsSorted(got))
	}
}

func TestTheAccountFollowsBodies(t *testing.T) {
	s := newStore(100)
	s.Create("b")
	bucket := s.Bucket("b")
	for range 3 {
		if !s.Reserve(50) {
			t.Fatal("an overwrite must give the old body's room back")
		}
		if err := bucket.Put("k", &Object{Body: make([]byte, 50)}, Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	if s.Reserve(51) {
		t.Fatal("reserved more than there is")
	}
	if err := s.Remove("b"); !errors.Is(err, ErrNotEmpty) {
		t.Fatal(err)
	}
	bucket.Delete("k")
	if !s.Reserve(100) {
		t.Fatal("a removal must give its room back")
	}
	if err := s.Remove("b"); err != nil {
		t.Fatal(err)
	}
	if err := bucket.Put("k", &Object{}, Condition{}); !errors.Is(err, ErrNoBucket) {
		t.Fatalf("put into a removed bucket: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	bucket := filled(t)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for number := range 2000 {
				key := fmt.Sprintf("%d-%d", worker, number)
				_ = bucket.Put(key, &Object{}, Condition{})
				bucket.Get(key)
				bucket.List(Query{Prefix: key, Max: 1})
				if number%2 == 0 {
					bucket.Delete(key)
				}
			}
		})
	}
	all.Wait()
	if got := len(bucket.List(Query{Max: 9000}).Entries); got != 4000 {
		t.Fatalf("%d keys", got)
	}
}

// manyKeys are enough to tell, also with the race detector and beside other work.
const manyKeys = 250_000

func TestManyRandomKeysAreNotQuadratic(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	bucket := filled(t)
	object := &Object{}
	started := time.Now()
	for _, number := range rand.Perm(manyKeys) {
		if err := bucket.Put(fmt.Sprintf("key-%07d", number), object, Condition{NoneMatch: []string{"*"}}); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(started)
	t.Logf("%d keys in %v", manyKeys, took)
	if took > 2*time.Minute { // quadratic would be tens of them
		t.Fatalf("took %v", took)
	}
	page := bucket.List(Query{After: "key-0124999", Max: 2})
	if !slices.Equal(names(page), []string{"key-0125000", "key-0125001"}) {
		t.Fatalf("got %q", names(page))
	}
}
