// Tests of writes that go through the journal, as a client sees them.

package s3

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"pausemark/go/internal/journal"
	"pausemark/go/internal/store"
)

func durable(t *testing.T, directory string) (*Handler, *journal.Journal) {
	t.Helper()
	return durableOf(t, directory, 1<<20)
}

func durableOf(t *testing.T, directory string, bytesMax int64) (*Handler, *journal.Journal) {
	t.Helper()
	held := store.New(bytesMax)
	opened, err := journal.Open(journal.Settings{Mode: journal.Batch, Directory: directory,
		SyncInterval: time.Second, SegmentBytes: 64 << 10, LogBytesMax: bytesMax, Threads: 1}, held, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return New(held, opened, nil, bytesMax), opened
}

func ask(t *testing.T, handler http.Handler, method, target, body string, headers ...string) *http.Response {
	t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	request := httptest.NewRequest(method, target, content)
	if method == http.MethodPut || method == http.MethodPost {
		request.Header.Set("Content-Length", "given")
	}
	for at := 0; at < len(headers); at += 2 {
		request.Header.Set(headers[at], headers[at+1])
	}
	writer := httptest.NewRecorder()
	handler.ServeHTTP(writer, request)
	return writer.Result()
}

func TestAnswersAreTheSameAfterARestart(t *testing.T) {
	directory := t.TempDir()
	handler, log := durable(t, directory)
	for _, step := range []struct {
		method, target, body string
		status               int
	}{
		{"PUT", "/bucket", "", 200},
		{"PUT", "/bucket/a", "one", 200},
		{"PUT", "/bucket/b", "two", 200},
		{"PUT", "/bucket/c", "three", 200},
		{"PUT", "/bucket/d/%2B", "", 200},
		{"PUT", "/nowhere/a", "one", 404},
		{"DELETE", "/bucket", "", 409},
		{"DELETE", "/bucket/b", "", 204},
		{"POST", "/bucket?delete", "<Delete><Object><Key>c</Key></Object><Object><Key>" +
			strings.Repeat("k", 2000) + "</Key></Object></Delete>", 200},
		{"PUT", "/other", "", 200},
		{"DELETE", "/other", "", 204},
	} {
		if got := ask(t, handler, step.method, step.target, step.body); got.StatusCode != step.status {
			t.Fatalf("%s %s: %d", step.method, step.target, got.StatusCode)
		}
	}
	kept := []string{"Cache-Control", "no-cache", "X-Amz-Meta-A", "1", "Content-Type", "a/b"}
	ask(t, handler, "PUT", "/bucket/a", "four", kept...)
	if got := ask(t, handler, "PUT", "/bucket/a", "five", "If-None-Match", "*"); got.StatusCode != 412 {
		t.Fatal(got.StatusCode)
	}
	before := told(t, handler)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	handler, log = durable(t, directory)
	if after := told(t, handler); after != before || !strings.Contains(after, "four") {
		t.Errorf("before %s\nafter %s", before, after)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// told is all that the handler tells, without what belongs to one answer.
func told(t *testing.T, handler http.Handler) string {
	t.Helper()
	var all strings.Builder
	for _, target := range []string{"/", "/bucket?list-type=2", "/bucket/a", "/bucket/d/%2B"} {
		got := ask(t, handler, "GET", target, "")
		got.Header.Del("Date")
		delete(got.Header, "x-amz-request-id")
		body, err := io.ReadAll(got.Body)
		if err != nil || got.StatusCode != 200 {
			t.Fatal(target, got.StatusCode, err)
		}
		all.Write(body)
		if err := got.Header.Write(&all); err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

func TestAWriteThatCannotBeLoggedIsAnErrorAndGivesItsRoomBack(t *testing.T) {
	handler, log := durable(t, t.TempDir())
	ask(t, handler, "PUT", "/bucket", "")
	ask(t, handler, "PUT", "/bucket/a", "x")
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	used, _ := handler.store.Usage()
	for _, request := range [][3]string{{"PUT", "/bucket/b", "lost"}, {"DELETE", "/bucket/a", ""},
		{"PUT", "/second", ""}, {"DELETE", "/bucket", ""}} {
		if got := ask(t, handler, request[0], request[1], request[2]); got.StatusCode != 500 {
			t.Errorf("%v: %d", request, got.StatusCode)
		}
	}
	got := ask(t, handler, "POST", "/bucket?delete",
		"<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object></Delete>")
	body, err := io.ReadAll(got.Body)
	if err != nil || !strings.Contains(string(body), "<Error><Key>a</Key><Code>InternalError</Code>") {
		t.Errorf("%s %v", body, err)
	}
	if now, _ := handler.store.Usage(); now != used {
		t.Errorf("%d bytes are reserved, want %d", now, used)
	}
	if got := ask(t, handler, "GET", "/bucket/a", ""); got.StatusCode != 200 {
		t.Errorf("reads go on: %d", got.StatusCode)
	}
}
