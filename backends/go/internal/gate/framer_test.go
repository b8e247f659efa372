// Tests of the framer: what is passed on and what is refused.

package gate

import (
	"strings"
	"testing"

	"pausemark/go/internal/wire"
)

func TestWholeRequestsPassInOnePieceAndByteByByte(t *testing.T) {
	data := []byte("PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" +
		"PUT /b/k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
	var whole, piecewise framer
	if passed := whole.advance(data); passed != len(data) || whole.heads != 3 {
		t.Fatalf("in one piece: %d of %d bytes, %d heads", passed, len(data), whole.heads)
	}
	passed := 0
	for end := 1; end <= len(data); end++ {
		passed += piecewise.advance(data[passed:end])
	}
	if passed != len(data) || piecewise.heads != 3 {
		t.Fatalf("byte by byte: %d of %d bytes, %d heads", passed, len(data), piecewise.heads)
	}
}

func TestEscapesThatAreNoneAreMarked(t *testing.T) {
	for target, want := range map[string]string{
		"/a%2Fb?c=%zz": "/a%2Fb?c=%zz",
		"/a%zz":        "/a\xffzz",
		"/a%2":         "/a\xff2",
		"/%%41":        "/\xff%41",
	} {
		data := []byte("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n")
		var f framer
		if f.advance(data) != len(data) || !strings.HasPrefix(string(data), "GET "+want+" ") {
			t.Errorf("%s: %q", target, data)
		}
	}
}

func TestHeadsAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		lines  string
		status int
	}{
		"length and coding":  {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400},
		"unknown coding":     {"Transfer-Encoding: gzip\r\n", 400},
		"two codings":        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
		"two lengths":        {"Content-Length: 1\r\nContent-Length: 2\r\n", 400},
		"signed length":      {"Content-Length: +1\r\n", 400},
		"bare line feed":     {"Content-Length: 1\n", 400},
		"bare return":        {"X-A: b\rc\r\n", 400},
		"space before colon": {"Content-Length : 1\r\n", 400},
		"folded line":        {" folded: 1\r\n", 400},
		"second host":        {"Host: b\r\n", 400},
		"too long":           {"X-A: " + strings.Repeat("v", wire.HeadBytesMax) + "\r\n", 431},
	} {
		t.Run(name, func(t *testing.T) {
			var f framer
			passed := f.advance([]byte("PUT / HTTP/1.1\r\nHost: a\r\n" + test.lines + "\r\n"))
			if passed != 0 || f.phase != phaseRefused || f.status != test.status {
				t.Fatalf("passed %d bytes, phase %d, status %d", passed, f.phase, f.status)
			}
		})
	}
}

func TestMalformedChunksBreakTheBody(t *testing.T) {
	head := "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, body := range []string{"zz\r\n", "\r\n", "3\nabc", "3\r\nabcd\r\n", "1 \r\n", "@\r\n", "0\r\na b\r\n"} {
		var f framer
		f.advance([]byte(head + body))
		if f.phase != phaseBroken {
			t.Errorf("%q: phase %d", body, f.phase)
		}
	}
}
