// The aws-chunked coding: chunks, their signatures where they are verified, and trailers.

package s3

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"sync"

	"pausemark/go/internal/sigv4"
)

const (
	// awsLineBytesMax holds a size, a signature or a checksum; nothing longer belongs there.
	awsLineBytesMax = 1 << 10
	// trailerBytesMax holds every checksum that there is.
	trailerBytesMax = 4 << 10

	trailerSignature = "x-amz-trailer-signature"
)

var chunkReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}

// givenSignature has room for one byte too many, so that what is too long is not taken for its start.
type givenSignature [sigv4.SignatureBytes + 1]byte

func (p *bodyPlan) readAWSChunked(from io.Reader) *failure {
	source := &noted{reader: from}
	reader, _ := chunkReaders.Get().(*bufio.Reader)
	reader.Reset(source)
	defer func() {
		reader.Reset(nil)
		chunkReaders.Put(reader)
	}()
	p.body = make([]byte, 0, p.length)
	failed := p.readChunks(reader)
	if failed == nil {
		failed = p.readTrailers(reader)
	}
	if failed == nil {
		if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
			failed = errIncompleteBody
		}
	}
	if failed == nil && int64(len(p.body)) != p.length {
		failed = errIncompleteBody
	}
	if source.failed {
		return errCutOff
	}
	return failed
}

// noted remembers that reading failed, which is not the same as a body that says something wrong.
type noted struct {
	reader io.Reader
	failed bool
}

// Read implements io.Reader.
func (n *noted) Read(into []byte) (int, error) {
	count, err := n.reader.Read(into)
	n.failed = n.failed || (err != nil && !errors.Is(err, io.EOF))
	return count, err
}

// readChunks reads up to the line of the empty chunk, behind which the trailers stand.
func (p *bodyPlan) readChunks(reader *bufio.Reader) *failure {
	for {
		line, ok := awsLine(reader)
		if !ok {
			return errIncompleteBody
		}
		digits, extensions, _ := bytes.Cut(line, []byte{';'})
		size, err := strconv.ParseUint(string(digits), 16, 60)
		if err != nil {
			return errIncompleteBody
		}
		var signature givenSignature // the line is gone with the next read
		signed := copy(signature[:], chunkSignature(extensions))
		at := len(p.body)
		if int64(size) > p.length-int64(at) {
			return errIncompleteBody
		}
		p.body = p.body[:at+int(size)]
		if size > 0 && !readChunk(reader, p.body[at:]) {
			return errIncompleteBody
		}
		if p.chain != nil && !p.chain.Chunk(p.body[at:], signature[:signed]) {
			return errSignature
		}
		if size == 0 {
			return nil
		}
	}
}

// chunkSignature is what one of a chunk's extensions says; others mean nothing here.
func chunkSignature(extensions []byte) []byte {
	for one := range bytes.SplitSeq(extensions, []byte{';'}) {
		if text, named := bytes.CutPrefix(one, []byte("chunk-signature=")); named {
			return text
		}
	}
	return nil
}

func readChunk(reader *bufio.Reader, into []byte) bool {
	if _, err := io.ReadFull(reader, into); err != nil {
		return false
	}
	end, ok := awsLine(reader)
	return ok && len(end) == 0
}

// readTrailers reads to the empty line.
func (p *bodyPlan) readTrailers(reader *bufio.Reader) *failure {
	var lines []byte // as they are signed
	var signature givenSignature
	signed := 0
	for left := trailerBytesMax; ; {
		line, ok := awsLine(reader)
		if left -= len(line); !ok || left < 0 {
			return errIncompleteBody
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		name, value = bytes.ToLower(name), bytes.TrimSpace(value)
		if string(name) == trailerSignature {
			signed = copy(signature[:], value)
			continue
		}
		p.takeTrailer(name, value)
		lines = append(append(append(append(lines, name...), ':'), value...), '\n')
	}
	return p.verifyTrailers(lines, signature[:signed])
}

// verifyTrailers takes none behind signed chunks whose kind has no signature for them.
func (p *bodyPlan) verifyTrailers(lines, signature []byte) *failure {
	switch {
	case p.chain == nil:
		return nil
	case !p.signedTrailer && len(lines)+len(signature) > 0:
		return errIncompleteBody
	case p.signedTrailer && !p.chain.Trailer(lines, signature):
		return errSignature
	}
	return nil
}

// awsLine returns a line without its end; its bytes are the reader's, valid up to the next read.
func awsLine(reader *bufio.Reader) ([]byte, bool) {
	line, err := reader.ReadSlice('\n')
	text, terminated := bytes.CutSuffix(line, []byte("\r\n"))
	return text, err == nil && terminated && len(line) <= awsLineBytesMax
}
