// Writes the canonical request: the one spelling of a request that both sides sign.

package sigv4

import (
	"bytes"
	"slices"
	"strings"

	"pausemark/go/internal/wire"
)

const (
	amzPrefix      = "x-amz-"
	upperHexDigits = "0123456789ABCDEF"
)

// spelling is a text that is appended to, and a query's parameters while they are put in order.
type spelling struct {
	text  []byte
	pairs []pair
}

// pair is an encoded parameter.
type pair struct {
	name  []byte
	value []byte
}

// appendRequest writes the canonical request; false when a signed header was not sent, or when the
// target cannot be decoded.
func (s *spelling) appendRequest(request *wire.Request, signedHeaders, payload string) bool {
	path, query, _ := strings.Cut(request.Target, "?")
	s.text = append(append(s.text, request.Method...), '\n')
	if !s.appendEncoded(path, true) {
		return false
	}
	s.text = append(s.text, '\n')
	if !s.appendQuery(query) {
		return false
	}
	s.text = append(s.text, '\n')
	for name := range strings.SplitSeq(signedHeaders, ";") {
		if !s.appendHeader(request, name) {
			return false
		}
	}
	s.text = append(append(append(s.text, '\n'), signedHeaders...), '\n')
	s.text = append(s.text, payload...)
	return true
}

// appendEncoded decodes percent escapes and encodes again, so that every spelling becomes one.
func (s *spelling) appendEncoded(from string, keepSlash bool) bool {
	for at := 0; at < len(from); at++ {
		b := from[at]
		if b == '%' {
			if at+2 >= len(from) {
				return false
			}
			high, low := hexDigit(from[at+1]), hexDigit(from[at+2])
			if high > 15 || low > 15 {
				return false
			}
			b = high<<4 | low
			at += 2
		}
		if unreserved(b) || (b == '/' && keepSlash) {
			s.text = append(s.text, b)
			continue
		}
		s.text = append(s.text, '%', upperHexDigits[b>>4], upperHexDigits[b&15])
	}
	return true
}

func unreserved(b byte) bool {
	return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
		b == '-' || b == '.' || b == '_' || b == '~'
}

// hexDigit is the digit's value; above 15 for what is none.
func hexDigit(b byte) byte {
	switch {
	case b >= '0' && b <= '9':
		return b - '0'
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return b | 0x20 - 'a' + 10
	default:
		return 255
	}
}

// appendQuery sorts by name and then by value: `a=` comes before `a-b=`, which text order would not say. A
// signature in the query does not sign itself.
func (s *spelling) appendQuery(query string) bool {
	if query == "" {
		return true
	}
	start := len(s.text)
	s.pairs = s.pairs[:0]
	for parameter := range strings.SplitSeq(query, "&") {
		if parameter == "" {
			continue
		}
		name, value, _ := strings.Cut(parameter, "=")
		from := len(s.text)
		if !s.appendEncoded(name, false) {
			return false
		}
		middle := len(s.text)
		if string(s.text[from:middle]) == ParameterSignature {
			s.text = s.text[:from]
			continue
		}
		if !s.appendEncoded(value, false) {
			return false
		}
		s.pairs = append(s.pairs, pair{s.text[from:middle], s.text[middle:]})
	}
	slices.SortFunc(s.pairs, func(a, b pair) int {
		if order := bytes.Compare(a.name, b.name); order != 0 {
			return order
		}
		return bytes.Compare(a.value, b.value)
	})
	unordered := len(s.text)
	for at, one := range s.pairs {
		if at > 0 {
			s.text = append(s.text, '&')
		}
		s.text = append(append(append(s.text, one.name...), '='), one.value...)
	}
	s.text = append(s.text[:start], s.text[unordered:]...)
	return true
}

// appendHeader writes `name:value` and a line feed; false when the header was not sent.
func (s *spelling) appendHeader(request *wire.Request, name string) bool {
	s.text = append(append(s.text, name...), ':')
	sent := false
	for at := range request.Fields {
		if !request.Fields[at].Is(name) {
			continue
		}
		if sent {
			s.text = append(s.text, ',')
		}
		sent = true
		s.appendFolded(request.Fields[at].Value)
	}
	s.text = append(s.text, '\n')
	return sent
}

// appendFolded trims a value and makes one blank of many.
func (s *spelling) appendFolded(value string) {
	value = strings.Trim(value, " \t")
	for at := range len(value) {
		if value[at] != ' ' || value[at-1] != ' ' {
			s.text = append(s.text, value[at])
		}
	}
}

// coversEveryAmzHeader tells whether each x-amz-* header that was sent is signed.
func coversEveryAmzHeader(request *wire.Request, signedHeaders string) bool {
	for at := range request.Fields {
		name := request.Fields[at].Name
		if len(name) >= len(amzPrefix) && strings.EqualFold(name[:len(amzPrefix)], amzPrefix) &&
			!covers(signedHeaders, name) {
			return false
		}
	}
	return true
}

func covers(signedHeaders, wanted string) bool {
	for name := range strings.SplitSeq(signedHeaders, ";") {
		if len(name) == len(wanted) && strings.EqualFold(name, wanted) {
			return true
		}
	}
	return false
}
