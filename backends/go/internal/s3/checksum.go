// Checksums beside MD5: which there are, how they come, and what is compared, kept and told.

package s3

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"hash/crc64"
	"strings"

	"pausemark/go/internal/store"
	"pausemark/go/internal/wire"
)

const sumBytesMax = 8

// algorithm is a checksum that is verified; its number is its place in the list.
type algorithm struct {
	header    string
	bytes     int // 4 or 8
	malformed *failure
	sum       func(body []byte) uint64
}

var algorithms = [...]algorithm{
	{"x-amz-checksum-crc32", 4, errBadDigest, func(body []byte) uint64 {
		return uint64(crc32.ChecksumIEEE(body))
	}},
	{"x-amz-checksum-crc32c", 4, errInvalidRequest, func(body []byte) uint64 {
		return uint64(crc32.Checksum(body, castagnoli))
	}},
	{"x-amz-checksum-crc64nvme", 8, errInvalidRequest, crc64NVME},
}

// checksums is what came with a body, in base64 by algorithm; "" is none.
type checksums [len(algorithms)]string

// readHeaders takes what the headers say, if each is one checksum of the right length.
func (c *checksums) readHeaders(request *wire.Request) *failure {
	for at := range algorithms {
		one := &algorithms[at]
		value, count := request.Find(one.header)
		if count == 0 {
			continue
		}
		if count != 1 || !one.wellFormed(value) {
			return one.malformed
		}
		c[at] = value
	}
	return nil
}

// verify compares all of them with the body.
func (c *checksums) verify(body []byte) *failure {
	for at, value := range c {
		if value == "" {
			continue
		}
		if failed := algorithms[at].verify(body, value); failed != nil {
			return failed
		}
	}
	return nil
}

// kept is what an object keeps of them.
func (c *checksums) kept() []store.Header {
	var kept []store.Header
	for at, value := range c {
		if value != "" {
			kept = append(kept, store.Header{Name: algorithms[at].header, Value: strings.Clone(value)})
		}
	}
	return kept
}

func (a *algorithm) wellFormed(value string) bool {
	var raw [sumBytesMax + 1]byte // the decoder may look at one group of three more than there is
	if len(value) != base64.StdEncoding.EncodedLen(a.bytes) {
		return false
	}
	count, err := base64.StdEncoding.Decode(raw[:], []byte(value))
	return err == nil && count == a.bytes
}

// verify judges the form again, because a trailer's was not judged yet.
func (a *algorithm) verify(body []byte, value string) *failure {
	if !a.wellFormed(value) {
		return a.malformed
	}
	var raw [sumBytesMax]byte
	var text [12]byte // base64 of the longest
	binary.BigEndian.PutUint64(raw[:], a.sum(body))
	written := text[:base64.StdEncoding.EncodedLen(a.bytes)]
	base64.StdEncoding.Encode(written, raw[sumBytesMax-a.bytes:])
	if string(written) != value {
		return errBadDigest
	}
	return nil
}

// trailing marks the checksums that trailers were announced with and that have not come yet.
type trailing [len(algorithms)]bool

func announced(request *wire.Request) (t trailing) {
	for name := range strings.SplitSeq(request.Joined("x-amz-trailer"), ",") {
		name = strings.TrimSpace(name)
		for at := range algorithms {
			t[at] = t[at] || strings.EqualFold(name, algorithms[at].header)
		}
	}
	return t
}

// takeTrailer keeps a trailer that is an announced checksum; its name is in lower case.
func (b *body) takeTrailer(name, value []byte) {
	for at := range algorithms {
		if b.trailing[at] && string(name) == algorithms[at].header {
			b.trailers[at] = string(value)
			b.trailing[at] = false
		}
	}
}

// tell puts kept headers into the answer.
func (e *Exchange) tell(kept []store.Header) {
	for at := range kept {
		e.Answer.Field(kept[at].Name, kept[at].Value)
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// nvmePolynomial is that of the NVM Express specification, its bits reversed as hash/crc64 has them.
const nvmePolynomial = 0x9a6c9329ac4bc9b5

// nvmeTables are those of slicing by 8. crc64.Checksum would make them anew, 16 KiB of them, for every
// body above 2 KiB: it keeps them for its own two polynomials alone.
var nvmeTables = slicingTables(crc64.MakeTable(nvmePolynomial))

func slicingTables(first *crc64.Table) *[8]crc64.Table {
	tables := &[8]crc64.Table{*first}
	for at := range first {
		for number := 1; number < len(tables); number++ {
			before := tables[number-1][at]
			tables[number][at] = first[before&0xff] ^ before>>8
		}
	}
	return tables
}

func crc64NVME(body []byte) uint64 {
	tables := nvmeTables
	sum := ^uint64(0)
	for len(body) >= 8 {
		sum ^= binary.LittleEndian.Uint64(body)
		sum = tables[7][sum&0xff] ^ tables[6][sum>>8&0xff] ^ tables[5][sum>>16&0xff] ^
			tables[4][sum>>24&0xff] ^ tables[3][sum>>32&0xff] ^ tables[2][sum>>40&0xff] ^
			tables[1][sum>>48&0xff] ^ tables[0][sum>>56]
		body = body[8:]
	}
	for _, b := range body {
		sum = tables[0][byte(sum)^b] ^ sum>>8
	}
	return ^sum
}
