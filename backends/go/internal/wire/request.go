// Package wire is HTTP/1.1 as every stack of this backend knows it: the view of a request that handlers get,
// and the grammar that all are equally strict about.
package wire

import "strings"

// Field is a header as it was sent, its value trimmed.
type Field struct {
	Name  string
	Value string
}

// Is compares the name with one in lower case.
func (f *Field) Is(name string) bool {
	return len(f.Name) == len(name) && strings.EqualFold(f.Name, name)
}

// Begins compares the name's begin with one in lower case.
func (f *Field) Begins(prefix string) bool {
	return len(f.Name) >= len(prefix) && strings.EqualFold(f.Name[:len(prefix)], prefix)
}

// Request is a request's head. Its strings may lie in memory that the stack uses again when the request is
// answered: what is kept longer must be cloned.
type Request struct {
	Method string
	Target string // path and query as they were sent
	Length int64  // of the body; -1 when it comes in chunks
	Fields []Field
}

// Find returns the first value of a header, whose name is in lower case, and how often it was sent.
func (r *Request) Find(name string) (value string, count int) {
	for at := range r.Fields {
		if !r.Fields[at].Is(name) {
			continue
		}
		if count == 0 {
			value = r.Fields[at].Value
		}
		count++
	}
	return value, count
}

// Get returns the first value of a header, or "".
func (r *Request) Get(name string) string {
	value, _ := r.Find(name)
	return value
}

// Has tells whether a header was sent.
func (r *Request) Has(name string) bool {
	_, count := r.Find(name)
	return count > 0
}

// All returns the values of a header in their order; nil when it was not sent.
func (r *Request) All(name string) []string {
	var all []string
	for at := range r.Fields {
		if r.Fields[at].Is(name) {
			all = append(all, r.Fields[at].Value)
		}
	}
	return all
}

// Joined returns all values of a header as one list.
func (r *Request) Joined(name string) string {
	value, count := r.Find(name)
	if count < 2 {
		return value
	}
	return strings.Join(r.All(name), ",")
}

// Expects100 tells whether the client waits to be told to go on.
func (r *Request) Expects100() bool {
	return strings.EqualFold(r.Get("expect"), "100-continue")
}
