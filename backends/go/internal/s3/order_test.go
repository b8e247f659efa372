// Tests of which failure is told when several could be, and of connections that go on behind it.

package s3

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"pausemark/go/internal/store"
)

func inMemory() *Handler {
	return New(store.New(1<<20), nil, nil, 1<<19)
}

func TestTheFirstThatFailsIsTold(t *testing.T) {
	handler := inMemory()
	ask(t, handler, "PUT", "/bucket", "")
	long := strings.Repeat("k", keyBytesMax+1)
	for _, step := range []struct {
		method, target string
		code           string
		headers        []string
	}{
		{"GET", "/bucket/%zz?acl", "InvalidURI", []string{"Authorization", "none"}},
		{"GET", "/bucket?prefix=%ff", "InvalidURI", nil},
		{"GET", "/bucket?acl", "AuthorizationHeaderMalformed", []string{"Authorization", "none"}},
		{"GET", "/bucket?acl&X-Amz-Signature=0", "InvalidArgument", []string{"Authorization", "none"}},
		{"GET", "/bucket?acl&X-Amz-Signature=0", "AuthorizationQueryParametersError", nil},
		{"PATCH", "/UP/" + long + "?acl", "NotImplemented", nil},
		{"PATCH", "/UP/" + long, "KeyTooLongError", nil},
		{"PATCH", "/UP/k", "InvalidBucketName", nil},
		{"PATCH", "//k", "InvalidBucketName", nil},
		{"PATCH", "/absent/k", "MethodNotAllowed", nil},
		{"PUT", "/absent/k", "InvalidDigest", []string{"Content-MD5", "no", "x-amz-tagging", "x"}},
		{"PUT", "/absent/k", "NotImplemented", []string{"x-amz-object-lock-mode", "x"}},
		{"PUT", "/absent/k", "NoSuchBucket", []string{"If-Match", "x"}},
		{"PUT", "/bucket/k", "NoSuchKey", []string{"If-Match", "x"}},
		{"GET", "/absent/k?response-expires=%0a", "InvalidArgument", nil},
		{"GET", "/absent/k?response-unknown=%0a", "NoSuchBucket", nil},
		{"PUT", "/absent/k", "MissingContentLength", []string{"x-amz-content-sha256", unsignedTrailer}},
		{"PUT", "/absent/k", "NoSuchBucket", nil},
		{"GET", "/absent?max-keys=", "InvalidArgument", nil},
		{"GET", "/absent?list-type=2&continuation-token=none", "InvalidArgument", nil},
		{"GET", "/absent?unknown", "NoSuchBucket", nil},
		{"POST", "/bucket/k?uploadId=x&partNumber=1", "NotImplemented", nil},
	} {
		got := ask(t, handler, step.method, strings.ReplaceAll(step.target, "%zz", "\xffzz"), "", step.headers...)
		body, _ := io.ReadAll(got.Body)
		if !strings.Contains(string(body), "<Code>"+step.code+"</Code>") {
			t.Errorf("%s %.40s: expected %s, got %s", step.method, step.target, step.code, body)
		}
	}
}

func TestAnnouncedTrailersMustComeAndOthersSayNothing(t *testing.T) {
	handler := inMemory()
	ask(t, handler, "PUT", "/bucket", "")
	for trailer, code := range map[string]string{
		"":                                       "MalformedTrailerError",
		"x-amz-checksum-crc32c:AAAAAA==\r\n":     "MalformedTrailerError",
		"x-amz-checksum-crc32:AAAAAA==\r\n":      "BadDigest",
		"x-amz-checksum-crc32:no\r\n":            "BadDigest",
		"x-amz-checksum-crc32:" + "NSRBwg==\r\n": "",
	} {
		got := ask(t, handler, "PUT", "/bucket/k", "3\r\nabc\r\n0\r\n"+trailer+"\r\n",
			"x-amz-content-sha256", unsignedTrailer, "x-amz-decoded-content-length", "3",
			"x-amz-trailer", "x-amz-checksum-crc32")
		body, _ := io.ReadAll(got.Body)
		if !strings.Contains(string(body), code) || (code == "") != (got.StatusCode == http.StatusOK) {
			t.Errorf("%q: expected %q, got %d %s", trailer, code, got.StatusCode, body)
		}
	}
}

func TestTheThousandthBucketIsTheLast(t *testing.T) {
	handler := inMemory()
	for number := range 1000 {
		ask(t, handler, "PUT", fmt.Sprintf("/bucket-%d", number), "")
	}
	for target, want := range map[string]int{"/bucket-0": 200, "/bucket-1000": 400} {
		if got := ask(t, handler, "PUT", target, ""); got.StatusCode != want {
			t.Errorf("%s: expected %d, got %d", target, want, got.StatusCode)
		}
	}
}

func TestAListingLeavesOutTheCommonPrefixThatItStartsIn(t *testing.T) {
	handler := inMemory()
	ask(t, handler, "PUT", "/bucket", "")
	for _, key := range []string{"a/1", "a/2", "b/1", "c"} {
		ask(t, handler, "PUT", "/bucket/"+key, "x")
	}
	got := ask(t, handler, "GET", "/bucket?delimiter=/&marker=a/1&max-keys=1", "")
	body, _ := io.ReadAll(got.Body)
	if !strings.Contains(string(body), "<NextMarker>b/</NextMarker>") || strings.Contains(string(body), ">a/<") {
		t.Errorf("%s", body)
	}
}
