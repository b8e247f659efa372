// Tests of checksums by their check values, and of what keeps them.

package s3

import (
	"bytes"
	"hash/crc64"
	"testing"
)

func TestChecksumsHaveTheirCheckValues(t *testing.T) {
	for at, want := range []uint64{0xcbf43926, 0xe3069283, 0xae8b14860a799888} {
		if got := algorithms[at].sum([]byte("123456789")); got != want {
			t.Errorf("%s: %x, want %x", algorithms[at].header, got, want)
		}
	}
}

func TestSlicingIsTheLibrarysSumAtEveryLength(t *testing.T) {
	table, body := crc64.MakeTable(nvmePolynomial), make([]byte, 300)
	for at := range body {
		body[at] = byte(at * 7)
	}
	for size := range body {
		if got, want := crc64NVME(body[:size]), crc64.Checksum(body[:size], table); got != want {
			t.Fatalf("%d bytes: %x, want %x", size, got, want)
		}
	}
}

func TestTheFormOfAChecksum(t *testing.T) {
	body := []byte("123456789")
	for value, want := range map[string]*failure{
		"rosUhgp5mIg=":     nil,
		"rosUhgp5mIk=":     errBadDigest,
		"rosUhgp5mIh=":     errBadDigest, // the same bytes, written as nobody writes them
		"":                 errInvalidRequest,
		"rosUhgp5mIg":      errInvalidRequest,
		"rosUhgp5mA==":     errInvalidRequest,
		"rosUhgp5mIgA":     errInvalidRequest,
		"*osUhgp5mIg=":     errInvalidRequest,
		"rosUhgp5mIgAAAA=": errInvalidRequest,
	} {
		if got := algorithms[2].verify(body, value); got != want {
			t.Errorf("%q: %+v", value, got)
		}
	}
}

func TestChecksumsAreToldAfterARestart(t *testing.T) {
	const value = "rosUhgp5mIg="
	directory := t.TempDir()
	handler, log := durable(t, directory)
	ask(t, handler, "PUT", "/bucket", "")
	got := ask(t, handler, "PUT", "/bucket/a", "123456789", "X-Amz-Meta-A", "1", algorithms[2].header, value)
	if got.StatusCode != 200 {
		t.Fatal(got.StatusCode)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	handler, log = durable(t, directory)
	for mode, want := range map[string]string{"ENABLED": value, "": ""} {
		got := ask(t, handler, "GET", "/bucket/a", "", "X-Amz-Checksum-Mode", mode)
		if told := append(got.Header[algorithms[2].header], "")[0]; told != want {
			t.Errorf("mode %q: %q", mode, told)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkCRC64NVME(b *testing.B) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if algorithms[2].verify(body, "AAAAAAAAAAA=") != errBadDigest {
			b.Fatal("passed")
		}
	}
}
