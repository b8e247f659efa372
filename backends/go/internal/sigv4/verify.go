// Package sigv4 verifies AWS Signature Version 4 in headers and in queries, as backends/CONTRACT.md asks it
// for S3: requests, the chunks of their bodies, and trailers.
package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"pausemark/go/internal/wire"
)

// Why a request is refused.
var (
	ErrMissing    = errors.New("there is no Authorization header")
	ErrMalformed  = errors.New("the Authorization header is malformed")
	ErrQuery      = errors.New("the query's parameters are malformed")
	ErrUnknownKey = errors.New("the key id is not known")
	ErrDate       = errors.New("the date is missing, malformed or not of the scope's day")
	ErrExpired    = errors.New("the URL's time is over")
	ErrSkewed     = errors.New("the date is too far from now")
	ErrUnsigned   = errors.New("a header that must be signed is not")
	ErrNoPayload  = errors.New("x-amz-content-sha256 is missing")
	ErrSignature  = errors.New("the signature is another than ours")
	ErrTooMany    = errors.New("there are too many headers to look through")
)

// skewMax is S3's limit for the distance of a request's date from now.
const skewMax = 15 * time.Minute

// fieldsMax keeps a head of the smallest headers from asking for millions of comparisons.
const fieldsMax = 256

const (
	stampLayout = "20060102T150405Z"
	dayBytes    = len("20060102")

	unsignedPayload = "UNSIGNED-PAYLOAD" // what a URL says that says nothing of its body
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

// Verify judges a request and its claim at a time. The seal is what the request's signed chunks continue.
func (v *Verifier) Verify(request *wire.Request, claim *Claim, now time.Time) (*Seal, error) {
	of, scope, ok := readCredential(claim.credential)
	if !ok || !inOrder(claim.signedHeaders) {
		return nil, claim.malformed()
	}
	secret, known := v.secrets[of.keyID]
	if !known {
		return nil, ErrUnknownKey
	}
	stamp, err := claim.judgeTime(request, of.day, now)
	if err != nil {
		return nil, err
	}
	if len(request.Fields) > fieldsMax {
		return nil, ErrTooMany
	}
	if !covers(claim.signedHeaders, "host") || !coversEveryAmzHeader(request, claim.signedHeaders) {
		return nil, ErrUnsigned
	}
	payload, count := request.Find("x-amz-content-sha256")
	switch {
	case claim.inQuery && count == 0:
		payload = unsignedPayload
	case count != 1, payload == "":
		return nil, ErrNoPayload
	}
	key, cached := v.keys.get(of), true
	if key == nil {
		key, cached = deriveKey(secret, of), false
	}
	seal := &Seal{key: key, stamp: stamp, scope: scope}
	if !seal.opens(request, claim.authorization, payload) {
		return nil, ErrSignature
	}
	if !cached {
		v.keys.put(of, key)
	}
	return seal, nil
}

// judgeTime returns the time that was signed. A header's counts for a while around it, a URL's for as long
// as it says.
func (c *Claim) judgeTime(request *wire.Request, day string, now time.Time) (stamp string, err error) {
	stamp, at, ok := c.stamp, c.at, true
	if !c.inQuery {
		stamp, at, ok = readDate(request)
	}
	age := now.Sub(at)
	switch {
	case !ok || stamp[:dayBytes] != day:
		return "", ErrDate
	case age < -skewMax, !c.inQuery && age > skewMax:
		return "", ErrSkewed
	case c.inQuery && age > c.lasts:
		return "", ErrExpired
	}
	return stamp, nil
}

// opens compares the request's own signature, which begins the chain.
func (s *Seal) opens(request *wire.Request, given authorization, payload string) bool {
	signer := s.key.borrow()
	defer s.key.giveBack(signer)
	var signature [SignatureBytes]byte
	if copy(signature[:], given.signature) != len(given.signature) ||
		!signer.appendRequest(request, given.signedHeaders, payload) {
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
func readDate(request *wire.Request) (stamp string, at time.Time, ok bool) {
	stamp, count := request.Find("x-amz-date")
	found := count > 0
	if !found {
		stamp, count = request.Find("date")
	}
	if count != 1 {
		return "", at, false
	}
	if at, ok := readStamp(stamp); ok || len(stamp) == len(stampLayout) {
		return stamp, at, ok
	}
	at, err := time.Parse(http.TimeFormat, stamp)
	if found || err != nil {
		return "", at, false
	}
	return at.Format(stampLayout), at, true
}

// readStamp reads the basic form; time.Parse alone would take fractions of a second, too.
func readStamp(stamp string) (at time.Time, ok bool) {
	if len(stamp) != len(stampLayout) {
		return at, false
	}
	at, err := time.Parse(stampLayout, stamp)
	return at, err == nil
}
