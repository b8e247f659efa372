// Operations on buckets: create, head, delete, and what a GET of one can ask.

package s3

import (
	"net/http"
	"strings"
	"time"

	"pausemark/go/internal/store"
)

const (
	configBytesMax = 64 << 10
	ownerID        = "pausemark"
)

func (h *Handler) listBuckets(e *Exchange) *failure {
	var text xmlText
	text.openS3("ListAllMyBucketsResult")
	text.owner()
	text.start("Buckets")
	for _, bucket := range h.store.Buckets() {
		text.start("Bucket")
		text.element("Name", bucket.Name)
		text.time("CreationDate", bucket.Created)
		text.close("Bucket")
	}
	text.close("Buckets")
	text.close("ListAllMyBucketsResult")
	e.replyXML(http.StatusOK, text.bytes())
	return nil
}

func (x *xmlText) owner() {
	x.start("Owner")
	x.element("ID", ownerID)
	x.element("DisplayName", ownerID)
	x.close("Owner")
}

func (h *Handler) createBucket(e *Exchange) *failure {
	// A CreateBucketConfiguration says nothing to a store that has one place, but a signature that covers
	// it must hold.
	if h.verifier == nil || e.Request.Length == 0 {
		e.finish = (*Handler).finishCreateBucket
		return nil
	}
	if failed := e.planDocument(configBytesMax); failed != nil {
		return failed
	}
	return h.expect(e, (*Handler).finishCreateBucket)
}

func (h *Handler) finishCreateBucket(e *Exchange) *failure {
	if e.planned {
		if _, failed := e.body.verify(); failed != nil {
			return failed
		}
	}
	e.leave(store.Write{Operation: store.CreateBucket, Bucket: e.bucket, Time: time.Now()},
		(*Handler).answerCreated)
	return nil
}

func (h *Handler) answerCreated(e *Exchange) {
	e.start(http.StatusOK)
	e.Answer.Field("Location", "/"+e.bucket)
	e.Answer.Empty()
}

// validBucketName knows a name of labels with dots between; four numbers would be an address.
func validBucketName(name string) bool {
	if len(name) < 3 || len(name) > 63 {
		return false
	}
	labels, numbers := 0, true
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, b := range []byte(label) {
			digit := b >= '0' && b <= '9'
			if !digit && b != '-' && (b < 'a' || b > 'z') {
				return false
			}
			numbers = numbers && digit
		}
		labels++
	}
	return labels != 4 || !numbers
}

func (h *Handler) removeBucket(e *Exchange) *failure {
	e.leave(store.Write{Operation: store.DeleteBucket, Bucket: e.bucket, Time: time.Now()},
		(*Handler).answerNoContent)
	return nil
}

// getBucket finds the operation by its parameters.
func (h *Handler) getBucket(e *Exchange) *failure {
	switch {
	case e.query.has("location"):
		return h.replyEmpty(e, "LocationConstraint")
	case e.query.has("versioning"):
		return h.replyEmpty(e, "VersioningConfiguration")
	case e.query.has("versions"):
		return h.listVersions(e)
	case e.query.has("uploads"):
		return h.listUploads(e)
	default:
		return h.listObjects(e)
	}
}

// replyEmpty is the answer of a bucket that was never configured.
func (h *Handler) replyEmpty(e *Exchange, root string) *failure {
	if h.store.Bucket(e.bucket) == nil {
		return errNoSuchBucket
	}
	body := xmlHeader + "<" + root + ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>`
	e.replyXML(http.StatusOK, []byte(body))
	return nil
}
