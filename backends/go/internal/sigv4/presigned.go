// Reads the claim of a presigned URL: six parameters of the query.

package sigv4

import (
	"strconv"
	"time"
)

// The parameters of a presigned URL.
const (
	ParameterAlgorithm     = "X-Amz-Algorithm"
	ParameterSignature     = "X-Amz-Signature"
	parameterCredential    = "X-Amz-Credential"
	parameterDate          = "X-Amz-Date"
	parameterExpires       = "X-Amz-Expires"
	parameterSignedHeaders = "X-Amz-SignedHeaders"
)

// expiresSecondsMax is a week.
const expiresSecondsMax = 7 * 24 * 60 * 60

// ReadQuery reads the claim of a query; find returns a parameter's first value, decoded, and how often it
// stands there.
func ReadQuery(find func(name string) (value string, count int)) (c Claim, err error) {
	c.inQuery = true
	var algorithmName, expires string
	for _, one := range []struct {
		name string
		into *string
	}{
		{ParameterAlgorithm, &algorithmName}, {parameterCredential, &c.credential}, {parameterDate, &c.stamp},
		{parameterExpires, &expires}, {parameterSignedHeaders, &c.signedHeaders},
		{ParameterSignature, &c.signature},
	} {
		value, count := find(one.name)
		if count != 1 || value == "" {
			return c, ErrQuery
		}
		*one.into = value
	}
	seconds, err := strconv.ParseUint(expires, 10, 32)
	if err != nil || seconds < 1 || seconds > expiresSecondsMax || algorithmName != algorithm {
		return c, ErrQuery
	}
	c.lasts = time.Duration(seconds) * time.Second
	var ok bool
	if c.at, ok = readStamp(c.stamp); !ok {
		return c, ErrQuery
	}
	return c, nil
}
