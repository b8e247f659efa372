// Package sigv4 verifies AWS Signature Version 4 in headers, as backends/CONTRACT.md asks it for S3:
// requests, the chunks of their bodies, and trailers.
package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"
)

// Why a request is refused.
var (
	ErrMissing    = errors.New("there is no Authorization header")
	ErrMalformed  = errors.New("the Authorization header is malformed")
	ErrUnknownKey = errors.New("the key id is not known")
	ErrDate       = errors.New("the date is missing, malformed or not of the scope's day")
	ErrSkewed     = errors.New("the date is too far from now")
	ErrUnsigned   = errors.New("a header that must be signed is not")
	ErrNoPayload  = errors.New("x-amz-content-sha256 is missing")
	ErrSignature  = errors.New("the signature is another than ours")
)

// skewMax is S3's limit for the distance of a request's date from now.
const skewMax = 15 * time.Minute

const (
	stampLayout = "20060102T150405Z"
	dayBytes    = len("20060102")
)

// Verifier knows the secrets. It is safe for concurrent use.
type Verifier struct {
	secrets map[string]string
	keys    keyCache
}

// New makes a verifier of secrets by key id.
func New(secrets map[string]string) *Verifier {
	return &Verifier{secrets: secrets, keys: keyCache{keys: map[scoped]*signingKey{}}}
}

// Verify judges a request at a time; the target is path and query as they were sent. The seal is what
// the request's signed chunks continue.
func (v *Verifier) Verify(request *http.Request, target string, now time.Time) (*Seal, error) {
	values := request.Header["Authorization"]
	if len(values) == 0 {
		return nil, ErrMissing
	}
	given, ok := parseAuthorization(values)
	if !ok || !inOrder(given.signedHeaders) {
		return nil, ErrMalformed
	}
	of, scope, ok := readCredential(given.credential)
	if !ok {
		return nil, ErrMalformed
	}
	secret, known := v.secrets[of.keyID]
	if !known {
		return nil, ErrUnknownKey
	}
	stamp, at, ok := readDate(request.Header)
	if !ok || stamp[:dayBytes] != of.day {
		return nil, ErrDate
	}
	if now.Sub(at).Abs() > skewMax {
		return nil, ErrSkewed
	}
	if !covers(given.signedHeaders, "host") ||
		!coversEveryAmzHeader(request.Header, given.signedHeaders) {
		return nil, ErrUnsigned
	}
	payload := request.Header["X-Amz-Content-Sha256"]
	if len(payload) != 1 || payload[0] == "" {
		return nil, ErrNoPayload
	}
	key, cached := v.keys.get(of), true
	if key == nil {
		key, cached = deriveKey(secret, of), false
	}
	seal := &Seal{key: key, stamp: stamp, scope: scope}
	if !seal.opens(request, target, given, payload[0]) {
		return nil, ErrSignature
	}
	if !cached {
		v.keys.put(of, key)
	}
	return seal, nil
}

// opens compares the request's own signature, which begins the chain.
func (s *Seal) opens(request *http.Request, target string, given authorization, payload string) bool {
	signer := s.key.borrow()
	defer s.key.giveBack(signer)
	var signature [SignatureBytes]byte
	if copy(signature[:], given.signature) != len(given.signature) ||
		!signer.appendRequest(request, target, given.signedHeaders, payload) {
		return false
	}
	canonical := sha256.Sum256(signer.text)
	signer.text = signer.text[:0]
	signer.line(algorithm)
	signer.line(s.stamp)
	signer.line(s.scope)
	signer.text = hex.AppendEncode(signer.text, canonical[:])
	return s.follows(signer, signature[:])
}

// readDate takes x-amz-date before Date, which may be in HTTP's form or in ours.
func readDate(header http.Header) (stamp string, at time.Time, ok bool) {
	values, found := header["X-Amz-Date"]
	if !found {
		values = header["Date"]
	}
	if len(values) != 1 {
		return "", at, false
	}
	stamp = values[0]
	if len(stamp) == len(stampLayout) { // time.Parse alone would take fractions of a second, too
		at, err := time.Parse(stampLayout, stamp)
		return stamp, at, err == nil
	}
	at, err := time.Parse(http.TimeFormat, stamp)
	if found || err != nil {
		return "", at, false
	}
	return at.Format(stampLayout), at, true
}
