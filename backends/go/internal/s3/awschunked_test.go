// Tests of what may stand behind the chunks of an aws-chunked body.

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
		plan := bodyPlan{chain: &sigv4.Seal{}}
		if got := plan.verifyTrailers(one.lines, one.signature); got != one.want {
			t.Errorf("%q, %q: %+v", one.lines, one.signature, got)
		}
	}
}

func TestTrailersHaveALimit(t *testing.T) {
	line := "x-amz-meta-a:" + strings.Repeat("a", 500) + "\r\n"
	for count, want := range map[int]*failure{1: nil, 100: errIncompleteBody} {
		plan := bodyPlan{length: 0, awsChunked: true}
		body := "0\r\n" + strings.Repeat(line, count) + "\r\n"
		if got := plan.readAWSChunked(strings.NewReader(body)); got != want {
			t.Errorf("%d lines: %+v", count, got)
		}
	}
}
