// Receives request bodies: plain, chunked and aws-chunked, with their checksums.

package s3

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// bodyPlan is how a body comes, what it must match, and then the body itself.
type bodyPlan struct {
	length     int64 // of the decoded body; -1 when nobody said
	awsChunked bool
	trailing   bool   // whether the checksum comes in a trailer
	md5        []byte // nil, or 16 bytes
	checksum   string // CRC-32 in base64, or ""
	reserved   int64
	body       []byte
}

// growBytes is the step in which a body of unknown length reserves room.
const growBytes = 64 << 10

// planBody judges the headers of a body and reserves its room, before any of it is read.
func (h *Handler) planBody(request *http.Request) (*bodyPlan, *failure) {
	plan := &bodyPlan{length: request.ContentLength}
	chunked := len(request.TransferEncoding) > 0
	if !chunked && request.Header["Content-Length"] == nil {
		return nil, errMissingLength
	}
	if failed := plan.readHeaders(request.Header); failed != nil {
		return nil, failed
	}
	if plan.length > h.objectBytesMax {
		return nil, errTooLarge
	}
	if plan.length > 0 && !h.store.Reserve(plan.length) {
		return nil, errSlowDown
	}
	plan.reserved = max(plan.length, 0)
	return plan, nil
}

func (p *bodyPlan) readHeaders(header http.Header) *failure {
	if values := header["Content-Md5"]; len(values) > 0 {
		sum, err := base64.StdEncoding.DecodeString(values[0])
		if err != nil || len(sum) != 16 {
			return errInvalidDigest
		}
		p.md5 = sum
	}
	p.checksum = header.Get(checksumHeaderCanonical)
	switch kind := header.Get("X-Amz-Content-Sha256"); {
	case kind == "", kind == "UNSIGNED-PAYLOAD", isHexSHA256(kind):
		return nil
	case kind == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD":
	case kind == "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
		kind == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
		p.trailing = strings.EqualFold(header.Get("X-Amz-Trailer"), checksumHeader)
	case strings.HasPrefix(kind, "STREAMING-"):
		return errNotImplemented
	default:
		return errInvalidArgument
	}
	p.awsChunked = true
	text := header.Get("X-Amz-Decoded-Content-Length")
	if text == "" {
		return errMissingLength
	}
	length, err := strconv.ParseUint(text, 10, 62)
	if err != nil {
		return errInvalidArgument
	}
	p.length = int64(length)
	return nil
}

func isHexSHA256(text string) bool {
	for at := range len(text) {
		b := text[at] | 0x20
		if (b < '0' || b > '9') && (b < 'a' || b > 'f') {
			return false
		}
	}
	return len(text) == 64
}

func (h *Handler) readBody(from io.Reader, plan *bodyPlan) *failure {
	switch {
	case plan.awsChunked:
		return plan.readAWSChunked(from)
	case plan.length >= 0:
		plan.body = make([]byte, plan.length)
		if _, err := io.ReadFull(from, plan.body); err != nil {
			return errIncompleteBody
		}
		return nil
	default:
		return h.readUnknownLength(from, plan)
	}
}

func (h *Handler) readUnknownLength(from io.Reader, plan *bodyPlan) *failure {
	for {
		if int64(len(plan.body)) == plan.reserved {
			if !h.store.Reserve(growBytes) {
				return errSlowDown
			}
			plan.reserved += growBytes
		}
		room := plan.reserved - int64(len(plan.body))
		if spare := int64(cap(plan.body) - len(plan.body)); spare < room {
			plan.body = append(make([]byte, 0, max(plan.reserved, 2*int64(cap(plan.body)))), plan.body...)
		}
		size := int64(len(plan.body))
		count, err := from.Read(plan.body[size : size+room])
		plan.body = plan.body[:size+int64(count)]
		if int64(len(plan.body)) > h.objectBytesMax {
			return errTooLarge
		}
		if errors.Is(err, io.EOF) {
			h.store.Release(plan.reserved - int64(len(plan.body)))
			plan.reserved = int64(len(plan.body))
			plan.body = bytes.Clone(plan.body) // exact size: what is accounted is what is held
			return nil
		}
		if err != nil {
			return errIncompleteBody
		}
	}
}

var errAWSChunked = errors.New("malformed aws-chunked body")

// awsLineBytesMax holds a size, a signature or a checksum; nothing longer belongs there.
const awsLineBytesMax = 1 << 10

var chunkReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}

func (p *bodyPlan) readAWSChunked(from io.Reader) *failure {
	reader, _ := chunkReaders.Get().(*bufio.Reader)
	reader.Reset(from)
	defer func() {
		reader.Reset(nil)
		chunkReaders.Put(reader)
	}()
	p.body = make([]byte, 0, p.length)
	if p.readChunks(reader) != nil || int64(len(p.body)) != p.length {
		return errIncompleteBody
	}
	if p.readTrailers(reader) != nil {
		return errIncompleteBody
	}
	if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
		return errIncompleteBody
	}
	return nil
}

func (p *bodyPlan) readChunks(reader *bufio.Reader) error {
	for {
		line, err := awsLine(reader)
		if err != nil {
			return err
		}
		digits, extension, extended := strings.Cut(line, ";")
		size, err := strconv.ParseUint(digits, 16, 32)
		if err != nil || (extended && !strings.HasPrefix(extension, "chunk-signature=")) {
			return errAWSChunked
		}
		if size == 0 {
			return nil
		}
		at := len(p.body)
		if int64(at)+int64(size) > p.length {
			return errAWSChunked
		}
		p.body = p.body[:at+int(size)]
		if _, err := io.ReadFull(reader, p.body[at:]); err != nil {
			return err
		}
		if end, err := awsLine(reader); err != nil || end != "" {
			return errAWSChunked
		}
	}
}

// readTrailers reads to the empty line; a checksum that was announced must be there.
func (p *bodyPlan) readTrailers(reader *bufio.Reader) error {
	for {
		line, err := awsLine(reader)
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, checksumHeader) {
			p.checksum = strings.TrimSpace(value)
			p.trailing = false
		}
	}
	if p.trailing {
		return errAWSChunked
	}
	return nil
}

func awsLine(reader *bufio.Reader) (string, error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	if len(line) > awsLineBytesMax || !bytes.HasSuffix(line, []byte("\r\n")) {
		return "", errAWSChunked
	}
	return string(line[:len(line)-2]), nil
}
