// Tests against the examples of AWS's own pages, and of what must be refused.

package sigv4

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"pausemark/go/internal/wire"
)

const (
	exampleID     = "AKIAIOSFODNN7EXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	exampleHost   = "examplebucket.s3.amazonaws.com"
	chunkedHeads  = "content-encoding: aws-chunked\nx-amz-decoded-content-length: 66560\n" +
		"x-amz-storage-class: REDUCED_REDUNDANCY\n"
	chunkedNames = "x-amz-date;x-amz-decoded-content-length;x-amz-storage-class"
)

var exampleTime = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

func exampleVerifier() *Verifier {
	return New(map[string]string{exampleID: exampleSecret})
}

// example is a request as a stack would hand it over.
func example(t testing.TB, line, host, heads, names, signature string) *wire.Request {
	t.Helper()
	authorization := fmt.Sprintf("Authorization: AWS4-HMAC-SHA256 Credential=%s/20130524/us-east-1/s3/aws4_request,"+
		"SignedHeaders=%s,Signature=%s\n", exampleID, names, signature)
	request := &wire.Request{}
	request.Method, request.Target, _ = strings.Cut(line, " ")
	for head := range strings.Lines("Host: " + host + "\n" + heads + authorization) {
		name, value, found := strings.Cut(head, ": ")
		if !found {
			t.Fatal(head)
		}
		request.Fields = append(request.Fields, wire.Field{Name: name, Value: strings.TrimSpace(value)})
	}
	return request
}

func verify(v *Verifier, request *wire.Request) (*Seal, error) {
	claim, err := ReadHeader(request)
	if err != nil {
		return nil, err
	}
	return v.Verify(request, &claim, exampleTime)
}

const stampHead = "x-amz-date: 20130524T000000Z\n"

func payloadHead(kind string) string {
	return "x-amz-content-sha256: " + kind + "\n"
}

func TestTheExamplesOfTheSpecificationAreVerified(t *testing.T) {
	for name, one := range map[string]struct{ line, heads, names, signature string }{
		"range": {"GET /test.txt", "Range: bytes=0-9\n" + stampHead + payloadHead(emptySHA256),
			"host;range;x-amz-content-sha256;x-amz-date",
			"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
		"put": {"PUT /test$file.text", "Date: Fri, 24 May 2013 00:00:00 GMT\n" + stampHead +
			"x-amz-storage-class: REDUCED_REDUNDANCY\n" +
			payloadHead("44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
			"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
		"query without a value": {"GET /?lifecycle", stampHead + payloadHead(emptySHA256),
			"host;x-amz-content-sha256;x-amz-date",
			"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
		"query": {"GET /?prefix=J&max-keys=2", stampHead + payloadHead(emptySHA256),
			"host;x-amz-content-sha256;x-amz-date",
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
	} {
		verifier := exampleVerifier()
		for range 2 { // with a key that is derived, and with one that is kept
			request := example(t, one.line, exampleHost, one.heads, one.names, one.signature)
			if _, err := verify(verifier, request); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		request := example(t, one.line, exampleHost, one.heads, one.names, one.signature)
		request.Method = "DELETE"
		if _, err := verify(verifier, request); err != ErrSignature {
			t.Errorf("%s: tampered: %v", name, err)
		}
	}
}

func TestTheExampleOfSignedChunksIsVerified(t *testing.T) {
	request := example(t, "PUT /examplebucket/chunkObject.txt", "s3.amazonaws.com",
		"content-length: 66824\n"+chunkedHeads+stampHead+payloadHead("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
		"content-encoding;content-length;host;x-amz-content-sha256;"+chunkedNames,
		"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")
	seal, err := verify(exampleVerifier(), request)
	if err != nil {
		t.Fatal(err)
	}
	large, small := bytes.Repeat([]byte("a"), 65536), bytes.Repeat([]byte("a"), 1024)
	first := []byte("ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648")
	if seal.Chunk(small, first) || seal.Chunk(large, first[1:]) || seal.Chunk(large, nil) {
		t.Error("a wrong chunk passed")
	}
	if !seal.Chunk(large, first) || seal.Chunk(large, first) ||
		!seal.Chunk(small, []byte("0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497")) ||
		!seal.Chunk(nil, []byte("b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9")) {
		t.Error("the example's chunks are refused, or one passed twice")
	}
}

func TestTheExampleOfASignedTrailerIsVerified(t *testing.T) {
	request := example(t, "PUT /examplebucket/chunkObject.txt", "s3.amazonaws.com",
		chunkedHeads+stampHead+"x-amz-trailer: x-amz-checksum-crc32c\n"+
			payloadHead("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
		"content-encoding;host;x-amz-content-sha256;"+chunkedNames+";x-amz-trailer",
		"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")
	seal, err := verify(exampleVerifier(), request)
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte("a"), 66560)
	for _, chunk := range []struct {
		data      []byte
		signature string
	}{
		{body[:65536], "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"},
		{body[65536:], "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"},
		{nil, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"},
	} {
		if !seal.Chunk(chunk.data, []byte(chunk.signature)) {
			t.Fatal(chunk.signature)
		}
	}
	signature := []byte("d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435")
	if seal.Trailer([]byte("x-amz-checksum-crc32c:AAAAAA==\n"), signature) ||
		!seal.Trailer([]byte("x-amz-checksum-crc32c:sOO8/Q==\n"), signature) {
		t.Error("the trailer's signature is not judged as the example has it")
	}
}

// The last header of an example is its Authorization.
func withoutTheLast(r *wire.Request) {
	r.Fields = r.Fields[:len(r.Fields)-1]
}

func withTheLastAgain(r *wire.Request) {
	r.Fields = append(r.Fields, r.Fields[len(r.Fields)-1])
}

func TestWhyARequestIsRefused(t *testing.T) {
	usual := "host;x-amz-content-sha256;x-amz-date"
	for name, one := range map[string]struct {
		heads, names string
		change       func(*wire.Request)
		want         error
	}{
		"nothing sent":      {stampHead, usual, withoutTheLast, ErrMissing},
		"two of them":       {stampHead, usual, withTheLastAgain, ErrMalformed},
		"names in no order": {stampHead, "x-amz-date;host", nil, ErrMalformed},
		"a name twice":      {stampHead, "host;host;x-amz-date", nil, ErrMalformed},
		"no date":           {"", usual, nil, ErrDate},
		"a fraction":        {"x-amz-date: 20130524T000000.5Z\n", usual, nil, ErrDate},
		"another day":       {"x-amz-date: 20130525T000000Z\n", usual, nil, ErrDate},
		"HTTP's date form":  {"x-amz-date: Fri, 24 May 2013 00:00:00 GMT\n", usual, nil, ErrDate},
		"too old":           {"x-amz-date: 20130524T001501Z\n", usual, nil, ErrSkewed},
		"host not signed": {stampHead + payloadHead(emptySHA256), "x-amz-content-sha256;x-amz-date", nil,
			ErrUnsigned},
		"one not signed": {stampHead + payloadHead(emptySHA256) + "X-AMZ-acl: private\n", usual, nil,
			ErrUnsigned},
		"no payload kind": {stampHead, "host;x-amz-date", nil, ErrNoPayload},
		"very many":       {stampHead + strings.Repeat("a: b\n", fieldsMax), usual, nil, ErrTooMany},
		"signed and not sent": {stampHead + payloadHead(emptySHA256), usual + ";x-amz-meta-a", nil,
			ErrSignature},
	} {
		request := example(t, "GET /a", exampleHost, one.heads, one.names, strings.Repeat("0", 64))
		if one.change != nil {
			one.change(request)
		}
		if _, err := verify(exampleVerifier(), request); err != one.want {
			t.Errorf("%s: got %v, want %v", name, err, one.want)
		}
	}
}

func TestCredentialsAreReadFromTheirEnd(t *testing.T) {
	of, scope, ok := readCredential("an/id/20130524/eu/s3/aws4_request")
	if want := (scoped{"an/id", "20130524", "eu"}); !ok || of != want || scope != "20130524/eu/s3/aws4_request" {
		t.Errorf("%+v %q %v", of, scope, ok)
	}
	for _, text := range []string{"", "id", "id/20130524/eu/ec2/aws4_request", "/20130524/eu/s3/aws4_request",
		"20130524/eu/s3/aws4_request", "id/20130524//s3/aws4_request", "id/20130524/eu/s3/aws4_request/"} {
		if of, _, ok := readCredential(text); ok {
			t.Errorf("%q: %+v", text, of)
		}
	}
}

func TestTheCanonicalSpelling(t *testing.T) {
	for from, want := range map[string]string{
		"/b/a%20b+c(d)*€~%e2%82%ac":        "/b/a%20b%2Bc%28d%29%2A%E2%82%AC~%E2%82%AC\n",
		"/b?b=2&uploads&a-b=1&a=c%2fd&a=A": "/b\na=A&a=c%2Fd&a-b=1&b=2&uploads=",
		"/b?&&x==&":                        "/b\nx=%3D",
		"/%2F%2e":                          "//.\n",
	} {
		var s spelling
		path, query, _ := strings.Cut(from, "?")
		ok := s.appendEncoded(path, true)
		s.text = append(s.text, '\n')
		if ok = s.appendQuery(query) && ok; !ok || string(s.text) != want {
			t.Errorf("%s: %q", from, s.text)
		}
	}
	for _, text := range []string{"%", "%2", "a%2", "%g0", "%0g"} {
		if new(spelling).appendEncoded(text, true) {
			t.Errorf("%q passed", text)
		}
	}
}

func TestTheKeysThatAreKeptHaveALimit(t *testing.T) {
	cache := keyCache{keys: map[scoped]*signingKey{}}
	for at := range 3 * keysMax {
		of := scoped{"id", "20130524", fmt.Sprint(at)}
		cache.put(of, deriveKey("secret", of))
		if len(cache.keys) > keysMax || cache.get(of) == nil {
			t.Fatal(at, len(cache.keys))
		}
	}
}

func TestAWrongSignatureLeavesNoKey(t *testing.T) {
	verifier := exampleVerifier()
	request := example(t, "GET /", exampleHost, stampHead+payloadHead(emptySHA256),
		"host;x-amz-content-sha256;x-amz-date", strings.Repeat("0", 64))
	if _, err := verify(verifier, request); err != ErrSignature || len(verifier.keys.keys) > 0 {
		t.Errorf("%v, %d keys", err, len(verifier.keys.keys))
	}
}

func BenchmarkVerify(b *testing.B) {
	verifier := exampleVerifier()
	request := example(b, "GET /?prefix=J&max-keys=2", exampleHost, stampHead+payloadHead(emptySHA256),
		"host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verify(verifier, request); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChunk(b *testing.B) {
	seal := &Seal{key: deriveKey("secret", scoped{"id", "20130524", "eu"}), stamp: "20130524T000000Z",
		scope: "20130524/eu/s3/aws4_request"}
	data, signature := make([]byte, 64<<10), make([]byte, SignatureBytes)
	b.ReportAllocs()
	for b.Loop() {
		seal.Chunk(data, signature)
	}
}
