// Records: a write as the bytes of backends/LOG.md, and back.

package journal

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pausemark/go/internal/store"
)

const (
	recordMagic      = "PMR1"
	recordHeadBytes  = 80
	recordAlign      = 8
	crcFrom          = 8 // the checksum covers what stands behind it
	keyBytesMax      = 1088
	metadataBytesMax = 16384
	defaultType      = "binary/octet-stream"
	checksumPrefix   = "x-amz-checksum-"
	metaPrefix       = "x-amz-meta-"
)

var (
	castagnoli    = crc32.MakeTable(crc32.Castagnoli)
	littleEndian  = binary.LittleEndian
	errUnreadable = errors.New("its ETag, key or metadata does not fit a record")
)

// padded is a length with the fill that follows it.
func padded(length int64) int64 {
	return (length + recordAlign - 1) &^ (recordAlign - 1)
}

// stamp is what only the writer knows of a record.
type stamp struct {
	lsn     uint64
	durable uint64
	epoch   uint32
}

// draft is a write made ready by its own goroutine, so that the writer adds the stamp and the CRC.
type draft struct {
	write         *store.Write
	names         []byte // key, then metadata
	keyBytes      int
	metadataBytes int
	data          []byte
	rest          [][]byte // of the data
	dataBytes     int64    // of both
	md5           [16]byte
	parts         uint16
}

// layOut makes the draft of the write, in the memory that an earlier one left.
func (d *draft) layOut(w *store.Write) error {
	*d = draft{write: w, names: append(d.names[:0], w.Bucket...)}
	if !w.OnBucket() {
		d.names = append(append(d.names, '/'), w.Key...)
	}
	d.keyBytes = len(d.names)
	if w.Object != nil {
		d.data, d.rest, d.dataBytes = w.Object.Body, w.Object.Rest, w.Object.Size()
		d.appendMetadata(w)
		var ok bool
		if d.md5, d.parts, ok = parseETag(w.Object.ETag); !ok {
			return errUnreadable
		}
	}
	d.metadataBytes = len(d.names) - d.keyBytes
	if d.keyBytes < 1 || d.keyBytes > keyBytesMax || d.metadataBytes > metadataBytesMax {
		return errUnreadable
	}
	return nil
}

// appendMetadata keeps the order of the law: checksums come before the client's own metadata.
func (d *draft) appendMetadata(w *store.Write) {
	pair := func(name, value string) {
		d.names = append(append(d.names, strings.ToLower(name)...), 0)
		d.names = append(append(d.names, value...), 0)
	}
	pair("content-type", w.Object.ContentType)
	headers := w.Object.Headers
	for len(headers) > 0 && !strings.HasPrefix(headers[0].Name, metaPrefix) {
		pair(headers[0].Name, headers[0].Value)
		headers = headers[1:]
	}
	for _, checksum := range w.Object.Checksums {
		pair(checksum.Name, checksum.Value)
	}
	for _, header := range headers {
		pair(header.Name, header.Value)
	}
}

// bytes is the length of the record without its fill.
func (d *draft) bytes() int64 {
	return recordHeadBytes + int64(len(d.names)) + d.dataBytes
}

// seal writes the fixed part of the record, checksum and all.
func (d *draft) seal(head *[recordHeadBytes]byte, s stamp) {
	*head = [recordHeadBytes]byte{}
	copy(head[:], recordMagic)
	littleEndian.PutUint64(head[8:], uint64(d.bytes()))
	littleEndian.PutUint64(head[16:], s.lsn)
	littleEndian.PutUint64(head[24:], s.durable)
	littleEndian.PutUint32(head[32:], s.epoch)
	head[36] = byte(d.write.Operation)
	littleEndian.PutUint16(head[38:], d.parts)
	littleEndian.PutUint16(head[40:], uint16(d.keyBytes))
	littleEndian.PutUint32(head[44:], uint32(d.metadataBytes))
	littleEndian.PutUint64(head[48:], uint64(d.dataBytes))
	copy(head[56:], d.md5[:])
	littleEndian.PutUint64(head[72:], uint64(d.write.Time.UnixNano()))
	sum := crc32.Update(0, castagnoli, head[crcFrom:])
	sum = crc32.Update(sum, castagnoli, d.names)
	sum = crc32.Update(sum, castagnoli, d.data)
	for _, part := range d.rest {
		sum = crc32.Update(sum, castagnoli, part)
	}
	littleEndian.PutUint32(head[4:], sum)
}

// parseETag takes `"<md5>"` or `"<md5>-<parts>"` apart.
func parseETag(etag string) (sum [16]byte, parts uint16, ok bool) {
	digits, count, several := strings.Cut(strings.Trim(etag, `"`), "-")
	if len(digits) != 2*len(sum) {
		return sum, 0, false
	}
	if _, err := hex.Decode(sum[:], []byte(digits)); err != nil {
		return sum, 0, false
	}
	if !several {
		return sum, 0, true
	}
	number, err := strconv.ParseUint(count, 10, 16)
	return sum, uint16(number), err == nil && number > 0
}

// record is one that was read; its slices point into the segment's bytes.
type record struct {
	stamp
	length    int64
	operation store.Operation
	parts     uint16
	key       []byte
	metadata  []byte
	data      []byte
	md5       [16]byte
	time      time.Time
}

// readRecord reads the fixed part at the begin of the bytes and the lengths that it gives; false when
// they are those of no record. The checksum is left to intact.
func readRecord(from []byte) (r record, ok bool) {
	if len(from) < recordHeadBytes || string(from[:4]) != recordMagic {
		return r, false
	}
	length, dataBytes := littleEndian.Uint64(from[8:]), littleEndian.Uint64(from[48:])
	keyBytes := uint64(littleEndian.Uint16(from[40:]))
	metadataBytes := uint64(littleEndian.Uint32(from[44:]))
	r.operation = store.Operation(from[36])
	switch {
	case length > uint64(len(from)), dataBytes > length,
		length != recordHeadBytes+keyBytes+metadataBytes+dataBytes,
		keyBytes < 1 || keyBytes > keyBytesMax || metadataBytes > metadataBytesMax,
		r.operation < store.PutObject || r.operation > store.DeleteBucket,
		from[37] != 0 || littleEndian.Uint16(from[42:]) != 0:
		return r, false
	}
	r.length = int64(length)
	r.lsn, r.durable = littleEndian.Uint64(from[16:]), littleEndian.Uint64(from[24:])
	r.epoch = littleEndian.Uint32(from[32:])
	r.parts = littleEndian.Uint16(from[38:])
	rest := from[recordHeadBytes:length]
	r.key, rest = rest[:keyBytes], rest[keyBytes:]
	r.metadata, r.data = rest[:metadataBytes], rest[metadataBytes:]
	copy(r.md5[:], from[56:])
	r.time = time.Unix(0, int64(littleEndian.Uint64(from[72:])))
	return r, true
}

// intact compares the checksum of the record that readRecord found at the begin of these bytes.
func (r *record) intact(from []byte) bool {
	return crc32.Checksum(from[crcFrom:r.length], castagnoli) == littleEndian.Uint32(from[4:])
}

// write makes the record a write again; what it holds is copied out of the segment's bytes.
func (r *record) write() (*store.Write, error) {
	w := &store.Write{Operation: r.operation, Time: r.time}
	key, found := string(r.key), false
	if w.OnBucket() {
		w.Bucket = key
		return w, nil
	}
	if w.Bucket, w.Key, found = strings.Cut(key, "/"); !found || w.Key == "" {
		return nil, errUnreadable
	}
	if r.operation == store.DeleteObject {
		return w, nil
	}
	etag := hex.EncodeToString(r.md5[:])
	if r.parts > 0 {
		etag += "-" + strconv.Itoa(int(r.parts))
	}
	w.Object = &store.Object{Body: make([]byte, len(r.data)), ETag: `"` + etag + `"`, Modified: r.time,
		LastModified: r.time.UTC().Format(http.TimeFormat), ContentType: defaultType}
	copy(w.Object.Body, r.data)
	return w, r.readMetadata(w)
}

func (r *record) readMetadata(w *store.Write) error {
	for rest := string(r.metadata); rest != ""; {
		var name, value string
		var named, ended bool
		name, rest, named = strings.Cut(rest, "\x00")
		value, rest, ended = strings.Cut(rest, "\x00")
		switch {
		case !named || !ended:
			return errUnreadable
		case name == "content-type":
			w.Object.ContentType = value
		case strings.HasPrefix(name, checksumPrefix):
			// Whatever the algorithm: one that only another language knows is kept and told as well.
			w.Object.Checksums = append(w.Object.Checksums, store.Header{Name: name, Value: value})
		default:
			if !strings.HasPrefix(name, metaPrefix) {
				name = http.CanonicalHeaderKey(name)
			}
			w.Object.Headers = append(w.Object.Headers, store.Header{Name: name, Value: value})
		}
	}
	return nil
}
