// Listing: prefix, delimiter and markers over ordered keys.

package store

import "strings"

// Query is what both listings ask.
type Query struct {
	Prefix    string
	Delimiter string
	After     string // a key or a common prefix that was the last of the page before
	Max       int
}

// Entry is a key with its object, or a common prefix, whose object is nil.
type Entry struct {
	Name   string
	Object *Object
}

// Page is one page of a listing, keys and common prefixes in one order.
type Page struct {
	Entries   []Entry
	Truncated bool
}

// List returns at most query.Max entries; a common prefix costs one seek, however much it holds.
func (b *Bucket) List(query Query) Page {
	b.mutex.RLock()
	defer b.mutex.RUnlock()
	var page Page
	if query.Max == 0 {
		return page
	}
	at := b.index.seek(max(query.After, query.Prefix))
	for !at.isEnd() {
		key := b.index.key(at)
		if !strings.HasPrefix(key, query.Prefix) {
			return page
		}
		common := query.common(key)
		name := key
		if common != "" {
			name = common
		}
		// Told before is the marker itself, and a common prefix that it is in.
		told := query.After != "" && name <= query.After
		if !told && len(page.Entries) == query.Max {
			page.Truncated = true
			return page
		}
		switch {
		case told:
		case common == "":
			page.Entries = append(page.Entries, b.index.entry(at))
		default:
			page.Entries = append(page.Entries, Entry{b.index.text(common), nil})
		}
		if common == "" {
			at = b.index.next(at)
			continue
		}
		beyond, exists := successor(common)
		if !exists {
			return page
		}
		at = b.index.seek(beyond)
	}
	return page
}

// common is the common prefix that a key is rolled up into, or "".
func (q Query) common(key string) string {
	if q.Delimiter == "" || !strings.HasPrefix(key, q.Prefix) {
		return ""
	}
	at := strings.Index(key[len(q.Prefix):], q.Delimiter)
	if at < 0 {
		return ""
	}
	return key[:len(q.Prefix)+at+len(q.Delimiter)]
}

// successor is the least string above every string that begins with the prefix.
func successor(prefix string) (string, bool) {
	for end := len(prefix); end > 0; end-- {
		if last := prefix[end-1]; last < 0xff {
			return prefix[:end-1] + string([]byte{last + 1}), true
		}
	}
	return "", false
}
