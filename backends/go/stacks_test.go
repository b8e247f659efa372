// Benchmarks of whole requests over a socket, one after the other: what each stack allocates for them.

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"pausemark/go/internal/s3"
	"pausemark/go/internal/store"
)

// freePort is a port that nobody had a moment ago.
func freePort(b testing.TB) netip.AddrPort {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return netip.MustParseAddrPort(listener.Addr().String())
}

func BenchmarkRequests(b *testing.B) {
	const size = 4096
	body := bytes.Repeat([]byte("x"), size)
	heads := "Host: 127.0.0.1:9000\r\nUser-Agent: benchmark\r\nAccept: */*\r\n" +
		"x-amz-date: 20260101T000000Z\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n" +
		"Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/eu/s3/aws4_request, SignedHeaders=host, Signature=0\r\n"
	put := append([]byte("PUT /bucket/key HTTP/1.1\r\n"+heads+
		"Content-Length: "+strconv.Itoa(size)+"\r\n\r\n"), body...)
	for _, shape := range []settings{{stack: "nethttp", core: coreGo}, {stack: "loop", core: coreGo},
		{stack: "loop", core: coreC}} {
		shape.index, shape.storeBytesMax = "pointers", 1<<30
		for _, one := range []struct {
			name     string
			request  []byte
			answered int // bytes of the answer's body
		}{
			{"get", []byte("GET /bucket/key HTTP/1.1\r\n" + heads + "\r\n"), size},
			{"put", put, 0},
			{"delete", []byte("DELETE /bucket/none HTTP/1.1\r\n" + heads + "\r\n"), 0},
		} {
			b.Run(fmt.Sprintf("%s/%s/%s", shape.stack, shape.core, one.name), func(b *testing.B) {
				conn := serveOn(b, shape)
				answer := make([]byte, 8192)
				exchange(b, conn, []byte("PUT /bucket HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"), answer, 0)
				exchange(b, conn, put, answer, 0)
				b.ReportAllocs()
				for b.Loop() {
					exchange(b, conn, one.request, answer, one.answered)
				}
			})
		}
	}
}

func serveOn(b *testing.B, shape settings) net.Conn {
	b.Helper()
	held, err := openStore(shape)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", serveStore(b, shape.stack, held), time.Second)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() }) // before the server ends
	return conn
}

// serveStore serves until the test ends.
func serveStore(b testing.TB, stack string, held *store.Store) (at string) {
	b.Helper()
	address := freePort(b)
	serve, err := stacks[stack](settings{address: address, threads: 1}, io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	end, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- serve(s3.New(held, nil, nil, 64<<20), end) }()
	b.Cleanup(func() {
		close(end)
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return address.String()
}

// exchange allocates nothing itself.
func exchange(b testing.TB, conn net.Conn, request, answer []byte, body int) {
	if _, err := conn.Write(request); err != nil {
		b.Fatal(err)
	}
	for got := 0; ; {
		count, err := conn.Read(answer[got:])
		if err != nil {
			b.Fatal(err)
		}
		got += count
		if end := bytes.Index(answer[:got], []byte("\r\n\r\n")); end >= 0 && got >= end+4+body {
			if answer[9] != '2' {
				b.Fatalf("%s", answer[:got])
			}
			return
		}
	}
}
