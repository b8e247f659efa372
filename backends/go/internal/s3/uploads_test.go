// Tests of multipart uploads and copies that go through the journal, as a client sees them.

package s3

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pausemark/go/internal/store"
)

func bodyOf(t *testing.T, reply *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// between is what stands between the two in an answer that must be there.
func between(t *testing.T, text, before, behind string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, before)
	inside, _, ended := strings.Cut(rest, behind)
	if !found || !ended {
		t.Fatalf("no %s in %s", before, text)
	}
	return inside
}

func begin(t *testing.T, handler *Handler, target string, headers ...string) string {
	t.Helper()
	reply := bodyOf(t, ask(t, handler, "POST", target+"?uploads", "", headers...))
	return between(t, reply, "<UploadId>", "</UploadId>")
}

// completion uploads these parts and is the document that names them.
func completion(t *testing.T, handler *Handler, target string, parts ...string) string {
	t.Helper()
	var document strings.Builder
	for at, part := range parts {
		put := ask(t, handler, "PUT", fmt.Sprintf("%s&partNumber=%d", target, at+1), part)
		if put.StatusCode != 200 {
			t.Fatal(put.StatusCode, bodyOf(t, put))
		}
		fmt.Fprintf(&document, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", at+1,
			put.Header["ETag"][0])
	}
	return "<CompleteMultipartUpload>" + document.String() + "</CompleteMultipartUpload>"
}

func TestAMultipartObjectAndItsCopyAreTheSameAfterARestart(t *testing.T) {
	directory := t.TempDir()
	handler, log := durableOf(t, directory, 64<<20)
	ask(t, handler, "PUT", "/bucket", "")
	id := begin(t, handler, "/bucket/a", "X-Amz-Meta-A", "1", "Content-Type", "a/b")
	abandoned := begin(t, handler, "/bucket/a")
	target := "/bucket/a?uploadId=" + id
	large := strings.Repeat("0123456789abcdef", partBytesMin/16)
	document := completion(t, handler, target, large, large+"x", "end")
	if done := ask(t, handler, "POST", target, document); done.StatusCode != 200 {
		t.Fatal(done.StatusCode, bodyOf(t, done))
	}
	for _, copy := range [][]string{
		{"/bucket/d/%2B", "X-Amz-Copy-Source", "bucket/a"},
		{"/bucket/a", "X-Amz-Copy-Source", "/bucket/d/%2B", "X-Amz-Metadata-Directive", "REPLACE", "X-Amz-Meta-B", "2"},
	} {
		if copied := ask(t, handler, "PUT", copy[0], "", copy[1:]...); copied.StatusCode != 200 {
			t.Fatal(copied.StatusCode, bodyOf(t, copied))
		}
	}
	before := told(t, handler)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	handler, log = durableOf(t, directory, 64<<20)
	defer func() { _ = log.Close() }()
	if after := told(t, handler); after != before || !strings.Contains(after, large+large+"xend") {
		t.Errorf("%d bytes before, %d after", len(before), len(after))
	}
	if got := ask(t, handler, "GET", "/bucket/a?uploadId="+abandoned, ""); got.StatusCode != 404 {
		t.Error("an upload ends with its process:", got.StatusCode)
	}
}

func TestARangeAcrossParts(t *testing.T) {
	handler := New(store.New(64<<20), nil, nil, 64<<20)
	ask(t, handler, "PUT", "/bucket", "")
	target := "/bucket/a?uploadId=" + begin(t, handler, "/bucket/a")
	large := strings.Repeat("0123456789abcdef", partBytesMin/16)
	ask(t, handler, "POST", target, completion(t, handler, target, large, "end"))
	border := fmt.Sprintf("bytes=%d-%d", partBytesMin-2, partBytesMin)
	got := ask(t, handler, "GET", "/bucket/a", "", "Range", border)
	if body := bodyOf(t, got); got.StatusCode != 206 || body != "efe" {
		t.Error(got.StatusCode, body)
	}
}

func TestACopyIsAccountedAndSharesItsBytes(t *testing.T) {
	held := store.New(10)
	handler := New(held, nil, nil, 10)
	ask(t, handler, "PUT", "/bucket", "")
	ask(t, handler, "PUT", "/bucket/a", "12345", "X-Amz-Checksum-Crc32", "y/U6HA==")
	for at, target := range []string{"/bucket/b", "/bucket/c"} {
		got := ask(t, handler, "PUT", target, "", "X-Amz-Copy-Source", "bucket/a")
		if want := []int{200, 503}[at]; got.StatusCode != want {
			t.Fatal(target, got.StatusCode)
		}
	}
	bucket := held.Bucket("bucket")
	if &bucket.Get("a").Body[0] != &bucket.Get("b").Body[0] {
		t.Error("copied")
	}
	got := ask(t, handler, "GET", "/bucket/b", "", "X-Amz-Checksum-Mode", "ENABLED")
	if told := got.Header["x-amz-checksum-crc32"]; len(told) != 1 || told[0] != "y/U6HA==" {
		t.Error("the same bytes have the same checksum, got", told)
	}
}

func TestACopysRangeIsJudgedBeforeItsUploadIsLookedFor(t *testing.T) {
	handler := inMemory()
	ask(t, handler, "PUT", "/bucket", "")
	for text, want := range map[string]int{"bytes=0-0": 404, "bytes=0-99999999999999999999": 404, "bytes=1-0": 400,
		"bytes=0-": 400, "bytes=-1": 400, "bytes=+1-2": 400, "items=0-1": 400} {
		got := ask(t, handler, "PUT", "/bucket/k?partNumber=1&uploadId=x", "", "X-Amz-Copy-Source", "bucket/a",
			"X-Amz-Copy-Source-Range", text)
		if got.StatusCode != want {
			t.Errorf("%s: %d, want %d", text, got.StatusCode, want)
		}
	}
}

// Only one of those who complete may succeed, and its object is whole.
func TestAnUploadIsCompletedOnce(t *testing.T) {
	handler, log := durable(t, t.TempDir())
	defer func() { _ = log.Close() }()
	ask(t, handler, "PUT", "/bucket", "")
	target := "/bucket/a?uploadId=" + begin(t, handler, "/bucket/a")
	document := completion(t, handler, target, "part")
	statuses := make([]byte, 8)
	var all sync.WaitGroup
	for at := range statuses {
		all.Go(func() {
			if ask(t, handler, "POST", target, document).StatusCode == 200 {
				statuses[at] = 1
			}
		})
	}
	all.Wait()
	if bytes.Count(statuses, []byte{1}) != 1 || bodyOf(t, ask(t, handler, "GET", "/bucket/a", "")) != "part" {
		t.Error(statuses)
	}
}
