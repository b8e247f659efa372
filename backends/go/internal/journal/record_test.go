// Tests of records: the bytes of the law, and the way back.

package journal

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pausemark/go/internal/store"
)

func put(key, body string, headers ...store.Header) *store.Write {
	sum := md5.Sum([]byte(body))
	written := time.Unix(0, 1_700_000_000_123_456_789)
	return &store.Write{Operation: store.PutObject, Bucket: "bucket", Key: key, Time: written,
		Object: &store.Object{Body: []byte(body), ETag: `"` + hex.EncodeToString(sum[:]) + `"`,
			Modified: written, LastModified: "Tue, 14 Nov 2023 22:13:20 GMT", ContentType: "text/plain",
			Headers: headers}}
}

func encoded(t testing.TB, w *store.Write, s stamp) []byte {
	t.Helper()
	d, err := newDraft(w)
	if err != nil {
		t.Fatal(err)
	}
	var head [recordHeadBytes]byte
	d.seal(&head, s)
	return append(append(head[:], d.names...), d.data...)
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	several := put("parts", "pp")
	several.Object.ETag = `"49f68a5c8493ec2c0bf489821c21fc3b-12"`
	checked := put("checked", "x", store.Header{Name: "x-amz-meta-a", Value: "1"})
	checked.Object.Checksums = []store.Header{{Name: "x-amz-checksum-crc32", Value: "jNyBGw=="},
		{Name: "x-amz-checksum-sha1", Value: "of another language"}}
	now := time.Unix(0, time.Now().UnixNano())
	for name, write := range map[string]*store.Write{
		"object": put("a/b c\u00e4", "body", store.Header{Name: "Cache-Control", Value: "no-cache"},
			store.Header{Name: "Content-Encoding", Value: "gzip"},
			store.Header{Name: "x-amz-meta-a", Value: ""}),
		"empty object":    put("e", ""),
		"parts":           several,
		"checksum":        checked,
		"longest key":     put(strings.Repeat("k", 1024), "x"),
		"deletion":        {Operation: store.DeleteObject, Bucket: "bucket", Key: "k/", Time: now},
		"bucket":          {Operation: store.CreateBucket, Bucket: "bucket", Time: now},
		"bucket deletion": {Operation: store.DeleteBucket, Bucket: "bucket", Time: now},
	} {
		t.Run(name, func(t *testing.T) {
			from := encoded(t, write, stamp{lsn: 7, durable: 5, epoch: 3})
			found, ok := readRecord(append(from, 0xFF))
			if !ok || !found.intact(from) || found.stamp != (stamp{7, 5, 3}) || found.length != int64(len(from)) {
				t.Fatalf("%v %+v", ok, found)
			}
			back, err := found.write()
			if err != nil || !reflect.DeepEqual(back, write) {
				t.Fatalf("%v\n%+v\n%+v", err, back, write)
			}
		})
	}
}

func TestSlicesAreOneBodyInTheRecord(t *testing.T) {
	whole, several := put("k", "012345"), put("k", "012345")
	several.Object.Body, several.Object.Rest = []byte("01"), [][]byte{[]byte("234"), {}, []byte("5")}
	d, err := newDraft(several)
	if err != nil {
		t.Fatal(err)
	}
	var head [recordHeadBytes]byte
	d.seal(&head, stamp{lsn: 1, epoch: 1})
	if want := encoded(t, whole, stamp{lsn: 1, epoch: 1}); !bytes.Equal(head[:], want[:recordHeadBytes]) {
		t.Fatalf("got  %x\nwant %x", head, want[:recordHeadBytes])
	}
}

// The bytes were written down by hand from backends/LOG.md.
func TestTheBytesAreThoseOfTheLaw(t *testing.T) {
	write := put("k", "hi")
	write.Bucket, write.Object.ContentType = "b", "a/b"
	write.Object.ETag = `"49f68a5c8493ec2c0bf489821c21fc3b-7"`
	write.Time = time.Unix(0, 0x1122334455667788)
	want, err := hex.DecodeString("6600000000000000" + "0500000000000000" + "0400000000000000" +
		"02000000" + "01" + "00" + "0700" + "0300" + "0000" + "11000000" + "0200000000000000" +
		"49f68a5c8493ec2c0bf489821c21fc3b" + "8877665544332211")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, "b/kcontent-type\x00a/b\x00hi"...)
	got := encoded(t, write, stamp{lsn: 5, durable: 4, epoch: 2})
	if string(got[:4]) != "PMR1" || !bytes.Equal(got[8:], want) {
		t.Fatalf("got  %x\nwant %x", got[8:], want)
	}
}

func TestAnyFlippedBitMakesARecordInvalid(t *testing.T) {
	whole := encoded(t, put("key", "body", store.Header{Name: "x-amz-meta-a", Value: "1"}), stamp{1, 0, 1})
	for bit := range 8 * len(whole) {
		from := bytes.Clone(whole)
		from[bit/8] ^= 1 << (bit % 8)
		if found, ok := readRecord(from); ok && found.intact(from) {
			t.Fatalf("bit %d of byte %d", bit%8, bit/8)
		}
	}
}

func TestLengthsThatOverflowAreNoRecord(t *testing.T) {
	from := encoded(t, put("key", "body"), stamp{1, 0, 1})
	littleEndian.PutUint64(from[48:], ^uint64(0)-recordHeadBytes) // the sum wraps around
	littleEndian.PutUint64(from[8:], 3+24)
	if _, ok := readRecord(from); ok {
		t.Fatal("accepted")
	}
}

func TestWhatDoesNotFitARecordIsRefused(t *testing.T) {
	for name, write := range map[string]*store.Write{
		"key":      put(strings.Repeat("k", keyBytesMax), ""),
		"metadata": put("k", "", store.Header{Name: "Cache-Control", Value: strings.Repeat("v", metadataBytesMax)}),
	} {
		if _, err := newDraft(write); !errors.Is(err, errUnreadable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func newDraft(w *store.Write) (draft, error) {
	var d draft
	err := d.layOut(w)
	return d, err
}
