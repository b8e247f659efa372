// The aws-chunked coding: chunks, their signatures where they are verified, and trailers.

package s3

import (
	"bytes"

	"pausemark/go/internal/sigv4"
	"pausemark/go/internal/wire"
)

const (
	// awsLineBytesMax holds a size, a signature or a checksum; nothing longer belongs there.
	awsLineBytesMax = 1 << 10
	// trailerBytesMax holds every checksum that there is.
	trailerBytesMax = 4 << 10

	trailerSignature = "x-amz-trailer-signature"
)

// Where the coding is; what is not data is a line.
const (
	inSize = iota
	inData
	inDataEnd
	inTrailer
	inEnd
)

// coding is how far an aws-chunked body has been read.
type coding struct {
	state         int
	left          int64 // of the chunk's data
	chunk         int   // where the chunk's data begins in the content
	trailersBytes int
	signed        int    // of the signature
	lines         []byte // trailers as they are signed
	// signature has room for one byte too many, so that what is too long is not taken for its start.
	signature [sigv4.SignatureBytes + 1]byte
}

func (b *body) takeData(count int64) {
	b.coding.left -= count
	if b.coding.left == 0 {
		b.coding.state = inDataEnd
	}
}

// takeLine takes bytes of a line, and does what it says once it is whole. It returns how many it took.
func (b *body) takeLine(data []byte) int {
	if b.coding.state == inEnd {
		b.failed = errIncompleteBody // nothing may follow
		return len(data)
	}
	count := bytes.IndexByte(data, '\n') + 1
	whole := count > 0
	if !whole {
		count = len(data)
	}
	if len(b.line)+count > awsLineBytesMax {
		b.failed = errIncompleteBody
		return count
	}
	b.line = append(b.line, data[:count]...)
	if !whole {
		return count
	}
	line, terminated := bytes.CutSuffix(b.line, []byte("\r\n"))
	b.line = b.line[:0]
	if !terminated {
		b.failed = errIncompleteBody
	} else {
		b.failed = b.endLine(line)
	}
	return count
}

func (b *body) endLine(line []byte) *failure {
	switch b.coding.state {
	case inSize:
		return b.beginChunk(line)
	case inDataEnd:
		b.coding.state = inSize
		if len(line) > 0 {
			return errIncompleteBody
		}
		return b.verifyChunk()
	default:
		return b.takeTrailerLine(line)
	}
}

func (b *body) beginChunk(line []byte) *failure {
	c := &b.coding
	digits, extensions, _ := bytes.Cut(line, []byte{';'})
	size, ok := wire.ChunkSize(digits)
	if !ok || size > b.length-int64(len(b.content)) {
		return errIncompleteBody
	}
	c.signed = copy(c.signature[:], chunkSignature(extensions))
	c.left, c.chunk, c.state = size, len(b.content), inData
	if size > 0 {
		return nil
	}
	c.state = inTrailer
	failed := b.verifyChunk()
	c.signed = 0
	return failed
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

func (b *body) verifyChunk() *failure {
	c := &b.coding
	if b.chain != nil && !b.chain.Chunk(b.content[c.chunk:], c.signature[:c.signed]) {
		return errSignature
	}
	return nil
}

// takeTrailerLine takes trailers up to the empty line.
func (b *body) takeTrailerLine(line []byte) *failure {
	c := &b.coding
	if len(line) == 0 {
		c.state = inEnd
		return b.verifyTrailers(c.lines, c.signature[:c.signed])
	}
	if c.trailersBytes += len(line); c.trailersBytes > trailerBytesMax {
		return errIncompleteBody
	}
	name, value, _ := bytes.Cut(line, []byte{':'})
	name, value = bytes.ToLower(name), bytes.TrimSpace(value)
	if string(name) == trailerSignature {
		c.signed = copy(c.signature[:], value)
		return nil
	}
	b.takeTrailer(name, value)
	if b.chain != nil {
		c.lines = append(append(append(append(c.lines, name...), ':'), value...), '\n')
	}
	return nil
}

// verifyTrailers takes none behind signed chunks whose kind has no signature for them.
func (b *body) verifyTrailers(lines, signature []byte) *failure {
	switch {
	case b.chain == nil:
		return nil
	case !b.signedTrailer && len(lines)+len(signature) > 0:
		return errIncompleteBody
	case b.signedTrailer && !b.chain.Trailer(lines, signature):
		return errSignature
	}
	return nil
}
