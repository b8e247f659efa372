// Signed chunks and trailers: each continues the signature before it, the first that of the request.

package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
)

// emptySHA256 stands in a chunk's string to sign, where AWS once meant to have headers of chunks.
const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Seal is the signature that the next chunk continues. One goroutine uses it at a time.
type Seal struct {
	key      *signingKey
	stamp    string
	scope    string
	previous [SignatureBytes]byte
}

// Chunk verifies the next chunk's signature.
func (s *Seal) Chunk(data, signature []byte) bool {
	signer := s.key.borrow()
	defer s.key.giveBack(signer)
	s.begin(signer, "-PAYLOAD")
	signer.line(emptySHA256)
	return s.end(signer, data, signature)
}

// Trailer verifies the signature of the trailers: `name:value` and a line feed each, without it.
func (s *Seal) Trailer(lines, signature []byte) bool {
	signer := s.key.borrow()
	defer s.key.giveBack(signer)
	s.begin(signer, "-TRAILER")
	return s.end(signer, lines, signature)
}

func (s *Seal) begin(signer *sealer, kind string) {
	signer.text = append(signer.text, algorithm...)
	signer.line(kind)
	signer.line(s.stamp)
	signer.line(s.scope)
	signer.text = append(append(signer.text, s.previous[:]...), '\n')
}

func (s *Seal) end(signer *sealer, data, signature []byte) bool {
	sum := sha256.Sum256(data)
	signer.text = hex.AppendEncode(signer.text, sum[:])
	return s.follows(signer, signature)
}

// follows compares a signature with that of the signer's text; a right one is what the next continues.
func (s *Seal) follows(signer *sealer, signature []byte) bool {
	if !signer.signs(signature) {
		return false
	}
	copy(s.previous[:], signature)
	return true
}
