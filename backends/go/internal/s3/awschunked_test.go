// Tests of the aws-chunked coding: in pieces of any size, and of what may stand behind its chunks.

package s3

import (
	"strings"
	"testing"

	"pausemark/go/internal/sigv4"
)

func TestTrailersThatNobodySignedDoNotFollowSignedChunks(t *testing.T) {
	lines, signature := []byte("x-amz-checksum-crc32:AAAAAA==\n"), []byte(strings.Repeat("0", 64))
	for _, one := range []struct {
		lines, signature []byte
		want             *failure
	}{{nil, nil, nil}, {lines, nil, errIncompleteBody}, {nil, signature, errIncompleteBody}} {
		received := body{chain: &sigv4.Seal{}}
		if got := received.verifyTrailers(one.lines, one.signature); got != one.want {
			t.Errorf("%q, %q: %+v", one.lines, one.signature, got)
		}
	}
}

// chunked is an exchange that expects so many bytes of content.
func chunked(length int64) *Exchange {
	e := &Exchange{body: body{length: length, awsChunked: true, content: make([]byte, 0, length)}}
	e.body.trailing[0] = true
	return e
}

func TestTrailersHaveALimit(t *testing.T) {
	line := "x-amz-meta-a:" + strings.Repeat("a", 500) + "\r\n"
	for count, want := range map[int]*failure{1: nil, 100: errIncompleteBody} {
		e := chunked(0)
		e.Feed([]byte("0\r\n" + strings.Repeat(line, count) + "\r\n"))
		if got := e.body.endFeeding(); got != want {
			t.Errorf("%d lines: %+v", count, got)
		}
	}
}

func TestPiecesOfAnySizeAreOneBody(t *testing.T) {
	text := "5;chunk-signature=0;a=b\r\nhello\r\nA\r\n, you all.\r\n0\r\nX-Amz-Checksum-Crc32: x \r\n\r\n"
	for size := 1; size <= len(text); size++ {
		e := chunked(15)
		for at := 0; at < len(text); at += size {
			e.Feed([]byte(text[at:min(at+size, len(text))]))
		}
		if failed := e.body.endFeeding(); failed != nil || string(e.body.content) != "hello, you all." ||
			e.body.trailers[0] != "x" {
			t.Fatalf("pieces of %d: %+v %q %q", size, failed, e.body.content, e.body.trailers)
		}
	}
}

func TestWhatIsNoBodyIsIncomplete(t *testing.T) {
	for _, text := range []string{"", "3\r\nabc", "3\r\nabc\r\n0\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n",
		"4\r\nabcd\r\n0\r\n\r\n", "2\r\nab\r\n0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\nx", "-3\r\nabc\r\n0\r\n\r\n",
		strings.Repeat("0", 2000) + "3\r\nabc\r\n0\r\n\r\n"} {
		e := chunked(3)
		e.Feed([]byte(text))
		if failed := e.body.endFeeding(); failed != errIncompleteBody {
			t.Errorf("%.20q: %+v", text, failed)
		}
	}
}
