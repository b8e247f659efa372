// Tests of presigned URLs: the example of AWS's own page, and its limits.

package sigv4

import (
	"net/url"
	"testing"
	"time"

	"pausemark/go/internal/wire"
)

const exampleURL = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256" +
	"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
	"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
	"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"

func TestTheExampleOfAPresignedURL(t *testing.T) {
	parsed, err := url.Parse(exampleURL)
	if err != nil {
		t.Fatal(err)
	}
	claim, err := ReadQuery(func(name string) (string, int) {
		return parsed.Query().Get(name), len(parsed.Query()[name])
	})
	if err != nil {
		t.Fatal(err)
	}
	request := &wire.Request{Method: "GET", Target: exampleURL,
		Fields: []wire.Field{{Name: "Host", Value: exampleHost}}}
	for late, want := range map[time.Duration]error{
		0:                         nil,
		-15 * time.Minute:         nil,
		-15*time.Minute - 1:       ErrSkewed,
		24 * time.Hour:            nil,
		24*time.Hour + 1:          ErrExpired,
		365 * 24 * 10 * time.Hour: ErrExpired,
	} {
		if _, err := exampleVerifier().Verify(request, &claim, exampleTime.Add(late)); err != want {
			t.Errorf("%v late: %v, want %v", late, err, want)
		}
	}
	request.Method = "PUT"
	if _, err := exampleVerifier().Verify(request, &claim, exampleTime); err != ErrSignature {
		t.Errorf("another method: %v", err)
	}
}
