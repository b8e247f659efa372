// A write's conditions: what the object that it would replace must be.

package store

import "strings"

// Condition is what a write asks of the object that its key has. A list that is nil asks nothing.
type Condition struct {
	Match     []string // If-Match: the headers' values as they were sent
	NoneMatch []string // If-None-Match
}

// IsAsked tells whether it can fail.
func (c *Condition) IsAsked() bool {
	return c.Match != nil || c.NoneMatch != nil
}

// Judge judges the object, which is nil where the key has none.
func (c *Condition) Judge(object *Object) error {
	switch {
	case object == nil && c.Match != nil:
		return ErrNoKey
	case object == nil:
		return nil
	case c.Match != nil && !MatchesTag(c.Match, object.ETag), MatchesTag(c.NoneMatch, object.ETag):
		return ErrCondition
	}
	return nil
}

// MatchesTag tells whether the ETag is among the lists of a header. Tags without quotes are taken too, as S3
// does.
func MatchesTag(lists []string, etag string) bool {
	bare := strings.Trim(etag, `"`)
	for _, list := range lists {
		for tag := range strings.SplitSeq(list, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == "*" || strings.Trim(tag, `"`) == bare {
				return true
			}
		}
	}
	return false
}
