// Counts how often a request crosses to C: what stands in the README is what the runtime counted.

package main

import (
	"bytes"
	"net"
	"runtime"
	"strconv"
	"testing"
	"time"
)

func TestCrossingsOfARequest(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 4096)
	put := append([]byte("PUT /bucket/key HTTP/1.1\r\nHost: a\r\nContent-Length: "+
		strconv.Itoa(len(body))+"\r\n\r\n"), body...)
	ask := func(line string) []byte { return []byte(line + " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") }
	for _, stack := range []string{"nethttp", "loop"} {
		for core, crosses := range map[string]bool{coreC: true, coreGo: false} {
			held, err := openStore(settings{core: core, index: "pointers", storeBytesMax: 1 << 30})
			if err != nil {
				t.Fatal(err)
			}
			conn, err := net.DialTimeout("tcp", serveStore(t, stack, held), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			answer := make([]byte, 8192)
			exchange(t, conn, ask("PUT /bucket"), answer, 0)
			for _, one := range []struct {
				name     string
				request  []byte
				answered int
				want     int64
			}{
				{"a PUT of a new key: body, record, index", put, 0, 3},
				{"a PUT of a key that is there: the same", put, 0, 3},
				{"a GET", ask("GET /bucket/key"), len(body), 1},
				{"a range", []byte("GET /bucket/key HTTP/1.1\r\nHost: a\r\nRange: bytes=0-9\r\n\r\n"), 10, 1},
				{"a HEAD", ask("HEAD /bucket/key"), 0, 1},
				{"a listing: its place", ask("GET /bucket?list-type=2"), 0, 1},
				{"a DELETE", ask("DELETE /bucket/key"), 0, 1},
			} {
				before := runtime.NumCgoCall()
				exchange(t, conn, one.request, answer, one.answered)
				want := int64(0)
				if crosses {
					want = one.want
				}
				if got := runtime.NumCgoCall() - before; got != want {
					t.Errorf("%s, core %s, %s: %d crossings, expected %d", stack, core, one.name, got, want)
				}
			}
		}
	}
}
