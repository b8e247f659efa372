// Derived signing keys: made once for a credential, a day and a region, kept while there is room.

package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"
)

// keysMax limits the cache: credentials times regions times the two days around midnight. A full cache
// starts again, and what is still in use comes back with its next request.
const keysMax = 256

// SignatureBytes is a signature's length, in hex.
const SignatureBytes = 2 * sha256.Size

// keyCache holds only keys that verified a request, so that nobody without a secret can empty it.
type keyCache struct {
	mutex sync.RWMutex
	keys  map[scoped]*signingKey
}

func (c *keyCache) get(of scoped) *signingKey {
	c.mutex.RLock()
	defer c.mutex.RUnlock()
	return c.keys[of]
}

func (c *keyCache) put(of scoped, key *signingKey) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.keys) >= keysMax {
		clear(c.keys)
	}
	c.keys[of.clone()] = key
}

// signingKey is a derived key with the sealers that were made for it.
type signingKey struct {
	sealers sync.Pool
}

func deriveKey(secret string, of scoped) *signingKey {
	key := []byte("AWS4" + secret)
	for _, part := range []string{of.day, of.region, "s3", "aws4_request"} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return &signingKey{sync.Pool{New: func() any {
		return &sealer{mac: hmac.New(sha256.New, key)}
	}}}
}

// borrow lends a sealer with an empty text; give it back with giveBack.
func (k *signingKey) borrow() *sealer {
	s, _ := k.sealers.Get().(*sealer)
	s.text = s.text[:0]
	return s
}

func (k *signingKey) giveBack(s *sealer) {
	clear(s.pairs) // they may point into texts that were outgrown
	k.sealers.Put(s)
}

// sealer signs with one key. It keeps its buffers, so that a signature allocates nothing.
type sealer struct {
	spelling
	mac    hash.Hash
	sum    [sha256.Size]byte
	digits [SignatureBytes]byte
}

// line appends a line of a string to sign; the last line of one has no line feed, see signs.
func (s *sealer) line(text string) {
	s.text = append(append(s.text, text...), '\n')
}

// signs compares a signature with that of the text, in a time that tells nothing of the place
// where they differ.
func (s *sealer) signs(signature []byte) bool {
	s.mac.Reset()
	s.mac.Write(s.text)
	s.mac.Sum(s.sum[:0])
	hex.Encode(s.digits[:], s.sum[:])
	return hmac.Equal(s.digits[:], signature)
}
