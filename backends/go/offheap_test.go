// Tests that every stack lets go of what lies off the heap, and not before its answer is sent.

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestWhatIsSentStaysAndThenComesBack(t *testing.T) {
	for _, away := range []settings{{index: "offheap"}, {core: coreC}} {
		for stack := range stacks {
			away.stack, away.storeBytesMax = stack, 256<<20
			t.Run(stack+away.index+away.core, func(t *testing.T) {
				whatIsSentStays(t, away)
			})
		}
	}
}

func whatIsSentStays(t *testing.T, away settings) {
	stack := away.stack
	held, err := openStore(away)
	if err != nil {
		t.Fatal(err)
	}
	c := asking{t, serveStore(t, stack, held), clientOf(stack)}
	old, replacing := strings.Repeat("o", 16<<20), strings.Repeat("n", 16<<20)
	c.ask("PUT", "/bucket", "", 200)
	c.ask("PUT", "/bucket/key", old, 200)
	slow, dropped := c.begin("GET", "/bucket/key", ""), c.begin("GET", "/bucket/key", "")
	c.ask("PUT", "/bucket/key", replacing, 200)
	_ = dropped.Body.Close() // HTTP/2 resets the stream, HTTP/1.1 ends the connection
	c.ask("PUT", "/bucket/another", replacing, 200)
	if sent, err := io.ReadAll(slow.Body); err != nil || string(sent) != old {
		t.Errorf("%d bytes, %v: not those that were there", len(sent), err)
	}
	_ = slow.Body.Close()
	c.ask("PUT", "/bucket/copy", "", 200, "X-Amz-Copy-Source", "/bucket/another")
	c.ask("PUT", "/bucket/none", "", 404, "X-Amz-Copy-Source", "/bucket/nothing")
	c.ask("PUT", "/bucket/key", "small", 412, "If-None-Match", "*")
	c.ask("PUT", "/bucket/key", "wrong", 400, "Content-MD5", "ndTkYSaMgDT1yFZOFVxnpg==")
	c.sendHalf()
	c.ask("GET", "/bucket/copy", "", 304, "If-None-Match", "*")
	c.ask("GET", "/bucket/copy", "", 206, "Range", "bytes=1-70000")
	c.ask("HEAD", "/bucket/copy", "", 200)
	_, id, _ := strings.Cut(c.ask("POST", "/bucket/parts?uploads", "", 200), "<UploadId>")
	id, _, _ = strings.Cut(id, "<")
	part := "/bucket/parts?partNumber=1&uploadId=" + id
	c.ask("PUT", part, "", 200, "X-Amz-Copy-Source", "/bucket/copy")
	c.ask("PUT", part, "part", 200)
	c.ask("POST", "/bucket/parts?uploadId="+id, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"+
		"<ETag>aa2a5c5ba1b7cbcbd9ad9f8ea3b2a3ea</ETag></Part></CompleteMultipartUpload>", 400)
	c.ask("DELETE", "/bucket/parts?uploadId="+id, "", 204)
	for _, key := range []string{"key", "another", "copy"} {
		c.ask("DELETE", "/bucket/"+key, "", 204)
	}
	deadline := time.Now().Add(5 * time.Second)
	for held.OffHeapBytes() > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if used, _ := held.Usage(); used != 0 || held.OffHeapBytes() != 0 {
		t.Errorf("%d bytes are accounted, %d bytes lie off the heap", used, held.OffHeapBytes())
	}
}

func clientOf(stack string) *http.Client {
	transport := &http.Transport{Protocols: &http.Protocols{}, DisableCompression: true}
	transport.Protocols.SetUnencryptedHTTP2(stack == "h2c")
	transport.Protocols.SetHTTP1(stack != "h2c")
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// asking asks one server and expects what it answers.
type asking struct {
	t       *testing.T
	address string
	client  *http.Client
}

// begin returns once the head has come. Headers are names and values in turn.
func (a *asking) begin(method, target, body string, headers ...string) *http.Response {
	a.t.Helper()
	request, err := http.NewRequest(method, "http://"+a.address+target, bytes.NewReader([]byte(body)))
	if err != nil {
		a.t.Fatal(err)
	}
	for at := 0; at < len(headers); at += 2 {
		request.Header.Set(headers[at], headers[at+1])
	}
	answer, err := a.client.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer
}

// sendHalf begins a PUT and hangs up in the middle of its body.
func (a *asking) sendHalf() {
	a.t.Helper()
	conn, err := net.Dial("tcp", a.address)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	half := "PUT /bucket/half HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\nhalf"
	if _, err := conn.Write([]byte(half)); err != nil {
		a.t.Fatal(err)
	}
}

func (a *asking) ask(method, target, body string, status int, headers ...string) string {
	a.t.Helper()
	answer := a.begin(method, target, body, headers...)
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		a.t.Fatal(fmt.Sprintf("%s %s: %d, %v", method, target, answer.StatusCode, err))
	}
	_ = answer.Body.Close()
	return string(text)
}
