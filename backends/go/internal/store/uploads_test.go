// Tests of open uploads: their account, their order, and what ends them meanwhile.

package store

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
)

// begun is an upload of a key with one part of this size, reserved as a handler does it.
func begun(t *testing.T, bucket *Bucket, key string, size int64) *Upload {
	t.Helper()
	upload, err := bucket.BeginUpload(key, &Object{})
	if err != nil {
		t.Fatal(err)
	}
	putPart(t, upload, 1, size)
	return upload
}

func putPart(t *testing.T, upload *Upload, number int, size int64) {
	t.Helper()
	if !upload.bucket.store.Reserve(size) {
		t.Fatal("no room")
	}
	if !upload.PutPart(&Part{Number: number, Body: make([]byte, size)}) {
		t.Fatal("the upload has ended")
	}
}

func expectUsed(t *testing.T, bucket *Bucket, want int64) {
	t.Helper()
	if used, _ := bucket.store.Usage(); used != want {
		t.Errorf("used %d, want %d", used, want)
	}
}

func TestTheAccountFollowsParts(t *testing.T) {
	bucket := filled(t)
	upload := begun(t, bucket, "k", 10)
	putPart(t, upload, 1, 7)
	putPart(t, upload, 2, 5)
	expectUsed(t, bucket, 12)
	failing := func(map[int]*Part) (int64, bool) { return 0, false }
	if !upload.Complete(failing) || bucket.Upload("k", upload.ID) != upload {
		t.Error("a completion that failed must leave the upload open")
	}
	expectUsed(t, bucket, 12)
	done := upload.Complete(func(parts map[int]*Part) (int64, bool) {
		return 7, bucket.Put("k", &Object{Body: parts[1].Body}, Condition{}) == nil
	})
	if !done || bucket.Upload("k", upload.ID) != nil {
		t.Error("a completed upload must be gone")
	}
	expectUsed(t, bucket, 7)
	if upload.Abort() || upload.PutPart(&Part{}) || upload.Complete(failing) {
		t.Error("an upload that has ended must stay so")
	}
	bucket.Delete("k")
	if !begun(t, bucket, "k", 3).Abort() {
		t.Error("an open upload must be there to abort")
	}
	expectUsed(t, bucket, 0)
}

func TestABucketEndsWhileAnUploadIsCompleted(t *testing.T) {
	bucket := filled(t)
	upload := begun(t, bucket, "k", 10)
	begun(t, bucket, "other", 5)
	upload.Complete(func(parts map[int]*Part) (int64, bool) {
		if err := bucket.store.Remove("bucket"); err != nil { // it must not wait for the completion
			t.Fatal(err)
		}
		expectUsed(t, bucket, 10)
		return 10, bucket.Put("k", &Object{Body: parts[1].Body}, Condition{}) == nil
	})
	if _, err := bucket.BeginUpload("k", &Object{}); !errors.Is(err, ErrNoBucket) {
		t.Error(err)
	}
	if bucket.Upload("k", upload.ID) != nil || len(bucket.uploads()) != 0 {
		t.Error("the bucket must end its uploads")
	}
}

func TestUploadsAreLimited(t *testing.T) {
	bucket := filled(t)
	for range uploadsMax {
		begun(t, bucket, "k", 0)
	}
	if _, err := bucket.BeginUpload("k", &Object{}); !errors.Is(err, ErrUploads) {
		t.Fatal(err)
	}
	bucket.uploads()[0].Abort()
	begun(t, bucket, "k", 0)
}

func TestConcurrentUseOfAnUpload(t *testing.T) {
	bucket := filled(t)
	upload := begun(t, bucket, "k", 1)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for number := 2; number < 50; number++ {
				bucket.store.Reserve(1)
				if !upload.PutPart(&Part{Number: number, Body: make([]byte, 1)}) {
					bucket.store.Release(1)
				}
				upload.Parts()
				bucket.ListUploads(Query{Max: 1}, "")
			}
		})
	}
	all.Go(func() {
		upload.Complete(func(parts map[int]*Part) (int64, bool) {
			return 1, bucket.Put("k", &Object{Body: parts[1].Body}, Condition{}) == nil
		})
	})
	all.Wait()
	expectUsed(t, bucket, 1)
}

func TestListingOfUploads(t *testing.T) {
	bucket := filled(t)
	for _, key := range []string{"b/2", "a", "c", "b/1", "b/1"} {
		begun(t, bucket, key, 0)
	}
	twins := bucket.uploads()[1:3]
	for name, test := range map[string]struct {
		query     Query
		id        string
		want      string
		truncated bool
	}{
		"all":                  {Query{Max: 9}, "", "a b/1 b/1 b/2 c", false},
		"none asked":           {Query{}, "", "", false},
		"between two of a key": {Query{Max: 2}, "", "a b/1", true},
		"behind the first":     {Query{Max: 9, After: "b/1"}, twins[0].ID, "b/1 b/2 c", false},
		"behind the key":       {Query{Max: 9, After: "b/1"}, "", "b/2 c", false},
		"prefix":               {Query{Max: 9, Prefix: "b/1"}, "", "b/1 b/1", false},
		"delimiter":            {Query{Max: 9, Delimiter: "/"}, "", "a c b/", false},
		"truncated at one":     {Query{Max: 2, Delimiter: "/"}, "", "a b/", true},
		"behind a prefix":      {Query{Max: 9, Delimiter: "/", After: "b/"}, "", "c", false},
	} {
		t.Run(name, func(t *testing.T) {
			page := bucket.ListUploads(test.query, test.id)
			var names []string
			for _, upload := range page.Uploads {
				names = append(names, upload.Key)
			}
			got := strings.Join(append(names, page.Prefixes...), " ")
			if got != test.want || page.Truncated != test.truncated {
				t.Fatalf("got %q, truncated %v", got, page.Truncated)
			}
		})
	}
}

func TestRangesOverSlices(t *testing.T) {
	whole := []byte("0123456789")
	for name, object := range map[string]*Object{
		"one slice": {Body: whole},
		"several":   {Body: whole[:3], Rest: [][]byte{whole[3:4], {}, whole[4:9], whole[9:]}},
		"empty end": {Body: whole[:9], Rest: [][]byte{whole[9:], {}}},
		"first":     {Rest: [][]byte{whole}},
	} {
		if object.Size() != 10 {
			t.Errorf("%s: size %d", name, object.Size())
		}
		for first := range int64(11) {
			for end := first; end <= 10; end++ {
				slices := slices.Collect(object.Range(first, end))
				got := bytes.Join(slices, nil)
				copied := object.CopyRange(first, end)
				if !bytes.Equal(got, whole[first:end]) || !bytes.Equal(copied, got) || cap(copied) != len(got) {
					t.Errorf("%s: %d to %d: %q", name, first, end, got)
				}
			}
		}
	}
}
