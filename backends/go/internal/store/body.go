// The bytes of an object: one slice, or several where parts were put together without a copy.

package store

import "iter"

// Size is the length of the whole body.
func (o *Object) Size() int64 {
	size := int64(len(o.Body))
	if o.lent != nil {
		size += o.lent.told
	}
	for _, part := range o.Rest {
		size += int64(len(part))
	}
	return size
}

// Range yields the slices that hold the bytes from first on and before end.
func (o *Object) Range(first, end int64) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		part, rest := o.Body, o.Rest
		for {
			size := int64(len(part))
			if first < size && !yield(part[first:min(end, size)]) {
				return
			}
			if end <= size || len(rest) == 0 {
				return
			}
			first, end = max(first-size, 0), end-size
			part, rest = rest[0], rest[1:]
		}
	}
}

// CopyRange copies the bytes from first on and before end: what keeps a part of an object must not
// keep the rest of it alive.
func (o *Object) CopyRange(first, end int64) []byte {
	copied := make([]byte, 0, end-first)
	for slice := range o.Range(first, end) {
		copied = append(copied, slice...)
	}
	return copied
}
