// What any bytes do to a connection: parser, handlers and answers, in process and over a socket pair.

package loop

import (
	"io"
	"regexp"
	"syscall"
	"testing"

	"pausemark/go/internal/s3"
	"pausemark/go/internal/store"
)

const fuzzedBytesMax = 16 << 10

const presigned = "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260101%2Fr%2Fs3%2Faws4_request" +
	"&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=0"

var seeds = []string{
	request("GET", "/bucket/key", "Range: bytes=1-1\n", "") +
		request("HEAD", "/bucket/key", "If-Match: \"a\", *\n", ""),
	"PUT /bucket/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n" +
		request("GET", "/bucket?list-type=2&delimiter=a&encoding-type=url", "", ""),
	request("PUT", "/bucket/c", "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\n"+
		"x-amz-decoded-content-length: 3\nx-amz-trailer: x-amz-checksum-crc32\n",
		"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n"),
	request("PUT", "/bucket/copy", "x-amz-copy-source: /bucket/key\nx-amz-meta-a: b\n", "") +
		request("DELETE", "/bucket/key", "", ""),
	request("PUT", "/bucket/key"+presigned, "If-Match: \"a\", *\nIf-None-Match: \"b\"\nExpires: never\n", "x") +
		request("GET", "/bucket/key?response-expires=a%20b&response-content-type=%7F", "", ""),
	request("POST", "/bucket/m?uploads", "", "") + request("GET", "/bucket?uploads", "Connection: close\n", ""),
	request("POST", "/bucket?delete", "",
		"<Delete><Object><Key>new&amp;</Key></Object><Quiet>true</Quiet></Delete>"),
	request("PUT", "/bucket/e", "Expect: 100-continue\nContent-MD5: CY9rzUYh03PK3k6DJie09g==\n", "test"),
	request("GET", "/", "Content-Length: 1\nTransfer-Encoding: chunked\n", "0\r\n\r\n"),
}

// ofOneAnswer is what differs between two answers that are the same.
var ofOneAnswer = regexp.MustCompile(`(?:Date|Last-Modified): [^\r]*|x-amz-request-id: [0-9A-F]{16}` +
	`|<(?:RequestId|LastModified|CreationDate|UploadId|Initiated)>[^<]*`)

// FuzzConnection sends the input at once, and cut in two: the answers must be the same, and no room be lost.
func FuzzConnection(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed), uint16(len(seed)/2))
	}
	w := fuzzedWorker(f)
	f.Fuzz(func(t *testing.T, input []byte, cut uint16) {
		if len(input) > fuzzedBytesMax {
			return
		}
		at := min(int(cut), len(input))
		whole, parted := play(t, w, input), play(t, w, input[:at], input[at:])
		if whole != parted {
			t.Errorf("at once:\n%s\ncut in two:\n%s", whole, parted)
		}
	})
}

// fuzzedWorker is a loop that nobody runs.
func fuzzedWorker(f *testing.F) *worker {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0) // it stands in for the listener
	if err != nil {
		f.Fatal(err)
	}
	w, err := newWorker(nil, pair[0], io.Discard)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		closeAll(pair[:])
		_ = w.close() // nothing is watched any more
	})
	return w
}

// play has a new store and a new connection take the pieces, and returns the answers.
func play(t *testing.T, w *worker, pieces ...[]byte) string {
	held := store.New(1 << 20)
	w.handler = s3.New(held, nil, nil, 1<<16)
	if err := held.Create("bucket"); err != nil {
		t.Fatal(err)
	}
	object := &store.Object{Body: []byte("abc"), ETag: `"900150983cd24fb0d6963f7d28e17f72"`, ContentType: "a/b"}
	if !held.Reserve(object.Size()) || held.Bucket("bucket").Put("key", object, store.Condition{}) != nil {
		t.Fatal("expected room for an object")
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.welcome(pair[0])
	c := w.connections[pair[0]]
	var answers []byte
	for _, piece := range pieces {
		answers = append(answers, say(c, pair[1], piece)...)
	}
	_ = syscall.Shutdown(pair[1], syscall.SHUT_WR) // the loop may have hung up
	answers = append(answers, say(c, pair[1], nil)...)
	c.close()
	_ = syscall.Close(pair[1]) // likewise
	if used, _ := held.Usage(); used != stored(held) || w.open != 0 {
		t.Errorf("%d bytes are accounted, %d are stored, %d connections are open", used, stored(held), w.open)
	}
	return ofOneAnswer.ReplaceAllString(string(answers), "")
}

// say sends, lets the loop have its events until it is quiet, and reads what comes.
func say(c *connection, peer int, text []byte) (answers []byte) {
	var buffer [64 << 10]byte
	if _, err := syscall.Write(peer, text); err != nil {
		return nil
	}
	for range 1 << 10 {
		if c.descriptor < 0 || c.lingering {
			break
		}
		var events [1]syscall.EpollEvent
		c.onEvent(c.watched)
		count, _ := syscall.Read(peer, buffer[:])
		answers = append(answers, buffer[:max(count, 0)]...)
		if ready, _ := syscall.EpollWait(c.worker.set, events[:], 0); ready <= 0 && count <= 0 {
			break
		}
	}
	count, _ := syscall.Read(peer, buffer[:])
	return append(answers, buffer[:max(count, 0)]...)
}

// stored is what objects and parts of uploads have.
func stored(held *store.Store) (size int64) {
	for _, bucket := range held.Buckets() {
		for _, entry := range bucket.List(store.Query{Max: 1 << 20}).Entries {
			size += entry.Object.Size()
		}
		for _, upload := range bucket.ListUploads(store.Query{Max: 1 << 20}, "").Uploads {
			for _, part := range upload.Parts() {
				size += int64(len(part.Body))
			}
		}
	}
	return size
}
