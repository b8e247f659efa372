// Tests of the parser: what it refuses, and that pieces make no difference.

package loop

import (
	"strings"
	"testing"
	"time"

	"pausemark/go/internal/wire"
)

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
		"nothing wrong":      {"x-a:\t b \r\nContent-Length: 1\r\nContent-Length: 1\r\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			input := []byte("PUT / HTTP/1.1\r\nHost: a\r\n" + test.lines + "\r\n")
			size, status := scanHead(input)
			if status == 0 && !newExchange().readHead(input[:size]) {
				status = 400
			}
			if status != test.status {
				t.Errorf("%d, want %d", status, test.status)
			}
		})
	}
}

func TestRequestLinesAreReadStrictly(t *testing.T) {
	for line, want := range map[string]bool{
		"GET / HTTP/1.1": true, "GET / HTTP/1.0": true,
		"G-T /\xff%zz?a b HTTP/1.1": false, "GET /\xff%zz? HTTP/1.1": true,
		"GET  / HTTP/1.1": false, "GET /  HTTP/1.1": false, "GET / HTTP/1.2": false, "GET /": false, "GET": false,
		"G(T / HTTP/1.1": false, "GET /\x7f HTTP/1.1": false, "GET / HTTP/1.1 ": false, "GET / http/1.1": false,
	} {
		if got := newExchange().readHead([]byte(line + "\r\nHost: a\r\n\r\n")); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func TestPiecesOfABodyAreOneBody(t *testing.T) {
	for text, want := range map[string]bodyState{
		"3;x=y\r\nabc\r\n0010\r\n0123456789abcdef\r\n0\r\nT: 1\r\n\r\n": bodyEnds,
		"0\r\n\r\n":         bodyEnds,
		"zz\r\n":            bodyIsBad,
		"3\nabc":            bodyIsBad,
		"3\r\nabcd\r\n":     bodyIsBad,
		"0\r\nno field\r\n": bodyIsBad,
		"0\r\na: b\rc\r\n":  bodyIsBad,
		"1" + strings.Repeat(" ", wire.LineBytesMax) + "\r\n": bodyIsBad,
	} {
		for size := 1; size <= len(text); size++ {
			x := newExchange()
			x.coded.state = inSize
			state, used := bodyGoesOn, 0
			for used < len(text) && state == bodyGoesOn {
				var count int
				count, state = x.takeBody([]byte(text[used:min(used+size, len(text))]))
				used += count
			}
			if state != want || (want == bodyEnds && used != len(text)) {
				t.Fatalf("%.30q in pieces of %d: %d bytes, state %d", text, size, used, state)
			}
		}
	}
}

func TestSilenceIsMeasuredFromTheLastProgress(t *testing.T) {
	w := &worker{now: time.Now()}
	w.silent.empty()
	first, second := &connection{worker: w, descriptor: -1}, &connection{worker: w, descriptor: -1}
	first.silence.begin(first)
	second.silence.begin(second)
	w.now = w.now.Add(time.Second)
	first.silence.end()
	first.silence.begin(first)
	if w.silent.next != &second.silence || w.silent.previous != &first.silence {
		t.Error("who made progress is not behind the others")
	}
	second.silence.end()
	second.silence.end()
	first.silence.end()
	if !w.silent.isEmpty() {
		t.Error("somebody is left")
	}
}
