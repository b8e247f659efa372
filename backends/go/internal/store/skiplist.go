// The ordered index of one bucket: a skip list of keys.

package store

import "math/rand/v2"

// levelsMax is enough for 4^12 keys, 16 million, at a quarter of the nodes per level.
const levelsMax = 12

// node is a key in byte order and, through the bucket's map, the key's entry.
type node struct {
	key    string
	object *Object
	next   []*node // next[0] is the following key
}

// skipList keeps keys in order at a logarithmic cost, in whatever order they come and go: a million
// random insertions must not be quadratic, and a listing between two PUTs must not sort anything.
type skipList struct {
	heads [levelsMax]*node
}

// seek returns the first node whose key is not below the key.
func (l *skipList) seek(key string) *node {
	return *l.path(key, nil)
}

// path walks down to the key and returns the link that leads to its place on the lowest level;
// links, when given, receives those of every level.
func (l *skipList) path(key string, links *[levelsMax]**node) **node {
	var before *node
	var link **node
	for level := levelsMax - 1; level >= 0; level-- {
		link = &l.heads[level]
		if before != nil {
			link = &before.next[level]
		}
		for *link != nil && (*link).key < key {
			before = *link
			link = &before.next[level]
		}
		if links != nil {
			links[level] = link
		}
	}
	return link
}

// insert adds a key that is not there yet.
func (l *skipList) insert(key string, object *Object) *node {
	var links [levelsMax]**node
	l.path(key, &links)
	levels := randomLevels()
	added := &node{key: key, object: object, next: make([]*node, levels)}
	for level := range levels {
		added.next[level] = *links[level]
		*links[level] = added
	}
	return added
}

// remove takes out a key that is there.
func (l *skipList) remove(key string) {
	var links [levelsMax]**node
	l.path(key, &links)
	gone := *links[0]
	for level := range gone.next {
		*links[level] = gone.next[level]
	}
}

// randomLevels is how many levels a node of either list has: each a quarter as often as the one below.
func randomLevels() int {
	levels := 1
	for bits := rand.Uint32(); bits&3 == 0 && levels < levelsMax; bits >>= 2 {
		levels++
	}
	return levels
}
