// Tests of whole loops over sockets: what contract tests cannot see, or see only by luck.

package loop

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"pausemark/go/internal/journal"
	"pausemark/go/internal/s3"
	"pausemark/go/internal/store"
)

// start serves a store on a port of its own until the test ends.
func start(t testing.TB, log *journal.Journal, held *store.Store) (address string, stop func() error) {
	t.Helper()
	listeners, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), 1)
	if err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(listeners[0])
	if err != nil {
		t.Fatal(err)
	}
	at, _ := name.(*syscall.SockaddrInet4)
	end, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- Serve(listeners, s3.New(held, log, nil, 1<<30), os.Stderr, end, 30*time.Second)
	}()
	closed := false
	stop = func() error {
		if closed {
			return nil
		}
		closed = true
		close(end)
		return <-ended
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return fmt.Sprintf("127.0.0.1:%d", at.Port), stop
}

// client is a connection and what comes of it.
type client struct {
	net.Conn
	reader *bufio.Reader
	t      testing.TB
}

func connect(t testing.TB, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(120 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &client{conn, bufio.NewReader(conn), t}
}

// request is a request whose header lines end in a line feed alone, for people to read.
func request(method, target, heads, body string) string {
	text := method + " " + target + " HTTP/1.1\nHost: a\n" + heads
	if body != "" || method == "PUT" || method == "POST" {
		text += fmt.Sprintf("Content-Length: %d\n", len(body))
	}
	return strings.ReplaceAll(text+"\n", "\n", "\r\n") + body
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads the next answer whole: its head as it came, and its body.
func (c *client) answer() (status int, head, body string) {
	c.t.Helper()
	var raw bytes.Buffer
	reply, err := http.ReadResponse(bufio.NewReader(io.TeeReader(oneByOne{c.reader}, &raw)), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	length := max(reply.ContentLength, 0)
	rest := make([]byte, length)
	if _, err := io.ReadFull(c.reader, rest); err != nil {
		c.t.Fatal(err)
	}
	return reply.StatusCode, raw.String(), string(rest)
}

// oneByOne keeps a reader behind it from taking more than the head.
type oneByOne struct{ io.Reader }

func (o oneByOne) Read(into []byte) (int, error) {
	return o.Reader.Read(into[:1])
}

func (c *client) ask(method, target, heads, body string) (status int, head, answered string) {
	c.t.Helper()
	c.send(request(method, target, heads, body))
	return c.answer()
}

func TestHeadersComeInTheContractsOrder(t *testing.T) {
	address, _ := start(t, nil, store.New(1<<20))
	c := connect(t, address)
	c.ask("PUT", "/bucket", "", "")
	c.ask("PUT", "/bucket/k", "x-amz-meta-b: 1\nx-amz-meta-a: 2\nCache-Control: no-cache\n", "text")
	_, head, body := c.ask("GET", "/bucket/k", "Range: bytes=1-2\nConnection: close\n", "")
	var names []string
	for line := range strings.Lines(head) {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, strings.TrimSpace(name))
	}
	want := "HTTP/1.1 206 Partial Content|Date|Server|x-amz-request-id|ETag|Last-Modified|Accept-Ranges|Content-Type|" +
		"Cache-Control|x-amz-meta-b|x-amz-meta-a|Content-Range|Content-Length|Connection|"
	if got := strings.Join(names, "|"); got != want || body != "ex" {
		t.Errorf("got %s\nwant %s\n%q", got, want, body)
	}
}

// An exchange's memory is used again at once by the next request, which is longer and says other things.
func TestWhatIsKeptOutlivesTheRequestThatBroughtIt(t *testing.T) {
	address, _ := start(t, nil, store.New(64<<20))
	c := connect(t, address)
	c.ask("PUT", "/bucket", "", "")
	c.ask("PUT", "/bucket/plain", "Content-Type: a/b\nCache-Control: no-cache\nContent-Encoding: gzip\n"+
		"x-amz-meta-a: value\nx-amz-checksum-crc32: NSRBwg==\n", "abc")
	c.ask("PUT", "/bucket/copy", "Content-Type: c/d\n"+
		"x-amz-copy-source: bucket/plain\nx-amz-metadata-directive: REPLACE\n", "")
	_, _, begun := c.ask("POST", "/bucket/parts?uploads", "Content-Type: e/f\n", "")
	_, id, _ := strings.Cut(begun, "<UploadId>")
	id, _, _ = strings.Cut(id, "<")
	c.ask("PUT", "/bucket/parts?partNumber=1&uploadId="+id, "", "part")
	told := func() (all string) {
		for _, target := range []string{"/", "/bucket", "/bucket?uploads", "/bucket/plain", "/bucket/copy",
			"/bucket/parts?uploadId=" + id} {
			_, head, body := c.ask("GET", target, "x-amz-checksum-mode: ENABLED\n", "")
			head, _, _ = strings.Cut(head[strings.Index(head, "\r\nServer"):], "x-amz-request-id")
			_, rest, _ := strings.Cut(head, "\r\n")
			all += rest + body
		}
		return all
	}
	before := told()
	for range 3 {
		c.ask("DELETE", "/another/"+strings.Repeat("z", 900), "x-amz-meta-z: "+strings.Repeat("z", 900)+"\n", "")
	}
	if after := told(); after != before || !strings.Contains(after, "<Key>parts</Key>") {
		t.Errorf("before %s\nafter %s", before, after)
	}
}

func TestWhoDoesNotReadIsNotReadFrom(t *testing.T) {
	address, _ := start(t, nil, store.New(64<<20))
	c := connect(t, address)
	c.ask("PUT", "/bucket", "", "")
	large := strings.Repeat("0123456789abcdef", 64<<10)
	c.ask("PUT", "/bucket/k", "", large)
	const count = 64
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		c.send(strings.Repeat(request("GET", "/bucket/k", "", ""), count) + request("PUT", "/bucket/l", "", large))
	}()
	time.Sleep(100 * time.Millisecond)
	for range count {
		if status, _, body := c.answer(); status != 200 || body != large {
			t.Fatal(status, len(body))
		}
	}
	if status, _, _ := c.answer(); status != 200 {
		t.Error(status)
	}
	<-sent
}

func open(t *testing.T) (*journal.Journal, *store.Store) {
	t.Helper()
	held := store.New(64 << 20)
	log, err := journal.Open(journal.Settings{Mode: journal.Batch, Directory: t.TempDir(),
		SyncInterval: time.Second, SegmentBytes: 1 << 20, LogBytesMax: 64 << 20, Threads: 1}, held, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log, held
}

func TestAnswersThatWaitForTheLogComeInTheirTurn(t *testing.T) {
	log, held := open(t)
	address, _ := start(t, log, held)
	c := connect(t, address)
	var all strings.Builder
	want := []int{200}
	all.WriteString(request("PUT", "/bucket", "", ""))
	for number := range 50 {
		key := fmt.Sprintf("/bucket/%d", number)
		all.WriteString(request("PUT", key, "", key) + request("GET", key, "", "") + request("DELETE", key, "", "body"))
		want = append(want, 200, 200, 204)
	}
	all.WriteString(request("POST", "/bucket?delete", "", "<Delete><Object><Key>x</Key></Object></Delete>"))
	c.send(all.String())
	for at, status := range append(want, 200) {
		if got, _, body := c.answer(); got != status {
			t.Fatal(at, got, body)
		}
	}
}

func TestWhoHangsUpDoesNotTakeBackAWrite(t *testing.T) {
	log, held := open(t)
	address, stop := start(t, log, held)
	connect(t, address).ask("PUT", "/bucket", "", "")
	for number := range 20 {
		c := connect(t, address)
		c.send(request("PUT", fmt.Sprintf("/bucket/%d", number), "", "text"))
		tcp, _ := c.Conn.(*net.TCPConn)
		if err := tcp.SetLinger(0); err != nil || tcp.Close() != nil { // a reset
			t.Fatal(err)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	used, _ := held.Usage()
	kept := int64(0)
	for number := range 20 {
		if held.Bucket("bucket").Get(fmt.Sprint(number)) != nil {
			kept += 4
		}
	}
	if used != kept {
		t.Errorf("%d bytes are accounted, %d kept", used, kept)
	}
}

func TestABodyThatStopsShortGivesItsRoomBack(t *testing.T) {
	held := store.New(64 << 20)
	address, _ := start(t, nil, held)
	c := connect(t, address)
	c.ask("PUT", "/bucket", "", "")
	for _, heads := range []string{"Content-Length: 200000\n", "Transfer-Encoding: chunked\n"} {
		cut := connect(t, address)
		cut.send(strings.ReplaceAll("PUT /bucket/k HTTP/1.1\nHost: a\n"+heads+"\n3\n", "\n", "\r\n"))
		time.Sleep(20 * time.Millisecond)
		_ = cut.Close()
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if used, _ := held.Usage(); used == 0 {
			return
		}
	}
	t.Error("room is still reserved")
}

func TestAStopFinishesWhatIsInFlightAndNoMore(t *testing.T) {
	address, stop := start(t, nil, store.New(64<<20))
	c, idle := connect(t, address), connect(t, address)
	idle.ask("PUT", "/bucket", "", "")
	text := request("PUT", "/bucket/k", "", strings.Repeat("x", 1000))
	c.send(text[:len(text)-500])
	time.Sleep(50 * time.Millisecond)
	go func() {
		time.Sleep(200 * time.Millisecond)
		_, _ = c.Write([]byte(text[len(text)-500:]))
	}()
	began := time.Now()
	if err := stop(); err != nil || time.Since(began) > 10*time.Second {
		t.Error(err, time.Since(began))
	}
	if status, _, _ := c.answer(); status != 200 {
		t.Error(status)
	}
	if _, err := idle.reader.ReadByte(); err != io.EOF {
		t.Error(err)
	}
}
