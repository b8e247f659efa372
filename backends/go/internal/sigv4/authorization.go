// Reads who says to have signed: the Authorization header's three fields, and the scope within the first.

package sigv4

import (
	"strings"
	"time"

	"pausemark/go/internal/wire"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	scopeEnd  = "/s3/aws4_request"
)

// authorization is the header's value taken apart; no field is empty.
type authorization struct {
	credential    string
	signedHeaders string
	signature     string
}

// Claim is what a request says of its signature, in the header or in the query; nothing of it is verified.
type Claim struct {
	authorization
	inQuery bool
	// Of the query, where they are part of the form:
	stamp string
	at    time.Time
	lasts time.Duration
}

// malformed is what is wrong where the claim's parts are not of their form.
func (c *Claim) malformed() error {
	if c.inQuery {
		return ErrQuery
	}
	return ErrMalformed
}

// ReadHeader reads the claim of an Authorization header.
func ReadHeader(request *wire.Request) (c Claim, err error) {
	value, count := request.Find("authorization")
	if count == 0 {
		return c, ErrMissing
	}
	var ok bool
	if c.authorization, ok = parseAuthorization(value); !ok || count > 1 {
		return c, ErrMalformed
	}
	return c, nil
}

func parseAuthorization(value string) (a authorization, ok bool) {
	rest, found := strings.CutPrefix(value, algorithm+" ")
	if !found {
		return a, false
	}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		into := a.field(name)
		if into == nil || *into != "" || value == "" {
			return a, false
		}
		*into = value
	}
	return a, a.credential != "" && a.signedHeaders != "" && a.signature != ""
}

func (a *authorization) field(name string) *string {
	switch name {
	case "Credential":
		return &a.credential
	case "SignedHeaders":
		return &a.signedHeaders
	case "Signature":
		return &a.signature
	default:
		return nil
	}
}

// scoped is what a key is derived for; all three parts together are the key's name in the cache.
type scoped struct {
	keyID  string
	day    string
	region string
}

// clone frees the name from the request's head, which it would keep in memory as long as itself.
func (s scoped) clone() scoped {
	return scoped{strings.Clone(s.keyID), strings.Clone(s.day), strings.Clone(s.region)}
}

// readCredential takes `ID/day/region/s3/aws4_request` apart, from its end: an id may hold a slash.
func readCredential(credential string) (s scoped, scope string, ok bool) {
	rest, found := strings.CutSuffix(credential, scopeEnd)
	if !found {
		return s, "", false
	}
	beforeRegion := strings.LastIndexByte(rest, '/')
	if beforeRegion < 0 {
		return s, "", false
	}
	beforeDay := strings.LastIndexByte(rest[:beforeRegion], '/')
	if beforeDay < 0 {
		return s, "", false
	}
	s = scoped{rest[:beforeDay], rest[beforeDay+1 : beforeRegion], rest[beforeRegion+1:]}
	return s, credential[beforeDay+1:], s.keyID != "" && s.day != "" && s.region != ""
}

// inOrder tells whether the names rise strictly: a name that came twice would let a short head ask
// for a canonical request of any size.
func inOrder(names string) bool {
	before := ""
	for name := range strings.SplitSeq(names, ";") {
		if name <= before {
			return false
		}
		before = name
	}
	return true
}
