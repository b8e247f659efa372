// Takes a body's bytes as they come, in pieces of any size: the state machine that every stack feeds.

package s3

import (
	"bytes"
	"crypto/md5"
)

// growBytes is the step in which a body of unknown length reserves room.
const growBytes = 64 << 10

// digestBytes is how much of a large body is digested at once, while it comes.
const digestBytes = 64 << 10

// Space is where the next bytes of the body may be read straight to; nil where they must be fed, because
// they are not content, or nobody wants them any more. Filled tells how many came.
func (e *Exchange) Space() []byte {
	b := &e.body
	switch {
	case b.failed != nil:
		return nil
	case b.awsChunked:
		if b.coding.state != inData {
			return nil
		}
		size := int64(len(b.content))
		return b.content[size : size+b.coding.left]
	case b.length >= 0:
		return b.content[len(b.content):b.length]
	case !e.makeRoom():
		return nil
	default:
		return b.content[len(b.content):b.reserved]
	}
}

// Filled takes bytes that were read into the space.
func (e *Exchange) Filled(count int) {
	b := &e.body
	b.content = b.content[:len(b.content)+count]
	if len(b.content)-b.digested >= digestBytes {
		b.digestMore()
	}
	switch {
	case b.awsChunked:
		b.takeData(int64(count))
	case b.length < 0 && int64(len(b.content)) > b.bytesMax:
		b.failed = b.tooLong
	}
}

// digestMore goes on with the MD5 of a large body while it comes, so that its end does not keep an event
// loop from others for the time that all of it takes.
func (b *body) digestMore() {
	if b.digest == nil {
		b.digest = md5.New()
	} else if b.digested == 0 {
		b.digest.Reset()
	}
	b.digest.Write(b.content[b.digested:])
	b.digested = len(b.content)
}

// sum is the MD5 of the whole content.
func (b *body) sum() (sum [md5.Size]byte) {
	if b.digested == 0 {
		return md5.Sum(b.content)
	}
	b.digest.Write(b.content[b.digested:])
	b.digest.Sum(sum[:0])
	b.digested = len(b.content)
	return sum
}

// Feed takes bytes that lie elsewhere. False when there is no use in reading on: Refuse answers.
func (e *Exchange) Feed(data []byte) bool {
	b := &e.body
	for len(data) > 0 && b.failed == nil {
		if space := e.Space(); len(space) > 0 {
			count := copy(space, data)
			data = data[count:]
			e.Filled(count)
			continue
		}
		switch {
		case b.failed != nil:
		case b.awsChunked:
			data = data[b.takeLine(data):]
		default:
			b.failed = errIncompleteBody // longer than it said: framing keeps that from happening
		}
	}
	return !e.IsRefused()
}

// IsRefused tells whether the body has grown beyond what is read on.
func (e *Exchange) IsRefused() bool {
	return e.body.failed != nil && e.body.failed.closing
}

// makeRoom lets a body of unknown length grow.
func (e *Exchange) makeRoom() bool {
	b := &e.body
	if int64(len(b.content)) == b.reserved {
		if !e.handler.store.Reserve(growBytes) {
			b.failed = errSlowDown
			return false
		}
		b.reserved += growBytes
	}
	if int64(cap(b.content)) < b.reserved {
		grown := make([]byte, len(b.content), max(b.reserved, 2*int64(cap(b.content))))
		copy(grown, b.content)
		b.content = grown
	}
	return true
}

// endFeeding is the verdict on how the body came.
func (b *body) endFeeding() *failure {
	switch {
	case b.failed != nil:
		return b.failed
	case b.awsChunked && (b.coding.state != inEnd || int64(len(b.content)) != b.length):
		return errIncompleteBody
	case !b.awsChunked && b.length >= 0 && int64(len(b.content)) != b.length:
		return errIncompleteBody
	}
	return nil
}

// settle makes a body that has grown as large as it is: what is accounted is what is held.
func (h *Handler) settle(b *body) {
	if int64(cap(b.content)) != int64(len(b.content)) {
		b.content = bytes.Clone(b.content)
	}
	if spare := b.reserved - int64(len(b.content)); spare > 0 {
		h.store.Release(spare)
		b.reserved -= spare
	}
}
