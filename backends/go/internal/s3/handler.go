// Package s3 answers the S3 subset of backends/CONTRACT.md, whichever stack reads the requests.
package s3

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"pausemark/go/internal/gate"
	"pausemark/go/internal/journal"
	"pausemark/go/internal/sigv4"
	"pausemark/go/internal/store"
)

const keyBytesMax = 1024

// Handler answers every request.
type Handler struct {
	store          *store.Store
	journal        *journal.Journal // nil: objects live in memory alone
	verifier       *sigv4.Verifier  // nil: signatures are read and not verified
	objectBytesMax int64
	requests       atomic.Uint64
	seed           uint64
	date           atomic.Pointer[dateHeader]
}

// New makes the handler of a store. Writes go through the journal, if there is one; otherwise straight
// into the store. Requests must have the verifier's signatures, if there is one.
func New(held *store.Store, log *journal.Journal, verifier *sigv4.Verifier, objectBytesMax int64) *Handler {
	return &Handler{
		store:          held,
		journal:        log,
		verifier:       verifier,
		objectBytesMax: objectBytesMax,
		seed:           rand.Uint64(),
	}
}

// dateHeader is the Date of one second, shared by its requests.
type dateHeader struct {
	second int64
	values []string
}

// HasLog tells whether writes wait for a journal.
func (h *Handler) HasLog() bool {
	return h.journal != nil
}

// Waits tells whether even Prepare may wait for the log: an upload's lock is held while it is completed, and
// a list of deletions is many writes.
func (h *Handler) Waits(e *Exchange) bool {
	return h.journal != nil && (e.upload != nil || e.Request.Method == http.MethodPost)
}

// Begin judges the head of the exchange's request and says what is to come.
func (h *Handler) Begin(e *Exchange) State {
	h.open(e)
	if failed := h.dispatch(e); failed != nil {
		e.fail(failed)
		h.release(e)
		return Answered
	}
	switch {
	case e.finish == nil:
		return Answered
	case e.planned:
		return WantsBody
	default:
		return Ready
	}
}

// Finish answers once the body has come, or where Begin found that none is read.
func (h *Handler) Finish(e *Exchange) {
	if h.Prepare(e) {
		h.End(e, h.commit(e))
	}
}

// Prepare does what is to be done before the exchange's write; false when there is none, and it is answered.
func (h *Handler) Prepare(e *Exchange) bool {
	if e.planned {
		e.received = true
	}
	failed := e.body.endFeeding()
	if failed == nil {
		failed = e.finish(h, e)
	}
	if failed == nil && e.committed != nil {
		return true
	}
	h.conclude(e, failed)
	return false
}

// Draft makes the write that Prepare left ready to be handed to the journal, whose inbox knows it by its
// owner; the outcome is for End.
func (h *Handler) Draft(e *Exchange, inbox journal.Inbox, owner any) (*journal.Pending, error) {
	e.pending.Owner = owner
	return &e.pending, e.pending.Prepare(&e.write, inbox)
}

// Hand hands drafts to the journal.
func (h *Handler) Hand(drafts []*journal.Pending) {
	h.journal.Hand(drafts)
}

// End answers by the outcome of the write.
func (h *Handler) End(e *Exchange, err error) {
	failed := writeFailure(err)
	if failed == nil {
		e.committed(h, e)
	}
	h.conclude(e, failed)
}

func (h *Handler) conclude(e *Exchange, failed *failure) {
	if failed != nil {
		e.fail(failed)
	}
	h.release(e)
}

// Abandon ends an exchange that nobody waits for any more, or whose answer was given for it.
func (h *Handler) Abandon(e *Exchange) {
	h.release(e)
}

// Refuse answers what is no HTTP: a head, or the framing of the body that Begin wanted.
func (h *Handler) Refuse(e *Exchange, status int) {
	if e.handler == nil {
		h.open(e)
	}
	failed := refusal(status)
	if e.body.failed != nil && e.body.failed.closing {
		failed = e.body.failed
	}
	e.path, e.received = "/", true
	e.fail(failed)
	h.release(e)
}

func (h *Handler) open(e *Exchange) {
	e.handler = h
	// An odd factor makes this a permutation of 64 bits: unique, without a lock or a collision.
	putUpperHex(&e.id, h.seed+h.requests.Add(1)*0x9E3779B97F4A7C15)
}

// release gives the room back that the body had and no object has now.
func (h *Handler) release(e *Exchange) {
	if e.body.reserved > 0 {
		h.store.Release(e.body.reserved)
		e.body.reserved = 0
	}
	if e.body.room.Free() {
		e.body.content = nil // nobody reads on in what is another's
	}
}

func (h *Handler) dispatch(e *Exchange) *failure {
	if failed := e.parseTarget(); failed != nil {
		return failed
	}
	if failed := h.authenticate(e); failed != nil {
		return failed
	}
	switch {
	case e.asksBeyond():
		return errNotImplemented
	case len(e.key) > keyBytesMax:
		return errKeyTooLong
	case e.bucket == "" && e.key == "":
		return h.service(e)
	case !validBucketName(e.bucket):
		return errInvalidBucket
	case e.key == "":
		return h.onBucket(e)
	default:
		return h.onObject(e)
	}
}

// parseTarget splits the target itself, because `%2F` in it is not `/`.
func (e *Exchange) parseTarget() *failure {
	path, rawQuery, _ := strings.Cut(withoutAuthority(e.Request.Target), "?")
	e.path = path
	if strings.IndexByte(path, gate.BadEscape) >= 0 {
		e.path = strings.ReplaceAll(path, string([]byte{gate.BadEscape}), "%")
		return errInvalidURI
	}
	if path != "" && path[0] != '/' {
		return errInvalidURI
	}
	rawBucket, rawKey, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	var errBucket, errKey error
	e.bucket, errBucket = url.PathUnescape(rawBucket)
	e.key, errKey = url.PathUnescape(rawKey)
	if errBucket != nil || errKey != nil || !utf8.ValidString(e.bucket) || !utf8.ValidString(e.key) {
		return errInvalidURI
	}
	var ok bool
	if e.query, ok = appendQuery(e.query[:0], rawQuery); !ok {
		return errInvalidURI
	}
	return nil
}

// withoutAuthority is the path and query of `http://host/path`, which is how a proxy asks.
func withoutAuthority(target string) string {
	const scheme = "http://"
	if len(target) < len(scheme) || !strings.EqualFold(target[:len(scheme)], scheme) {
		return target
	}
	if at := strings.IndexByte(target[len(scheme):], '/'); at >= 0 {
		return target[len(scheme)+at:]
	}
	return ""
}

func (h *Handler) service(e *Exchange) *failure {
	if e.Request.Method != http.MethodGet {
		return errMethod
	}
	return h.listBuckets(e)
}

func (h *Handler) onBucket(e *Exchange) *failure {
	switch e.Request.Method {
	case http.MethodGet:
		return h.getBucket(e)
	case http.MethodPost:
		if e.query.has("delete") {
			return h.deleteMany(e)
		}
		return errMethod
	case http.MethodPut:
		return h.createBucket(e)
	case http.MethodHead:
		if h.store.Bucket(e.bucket) == nil {
			return errNoSuchBucket
		}
		e.start(http.StatusOK)
		e.Answer.Empty()
		return nil
	case http.MethodDelete:
		e.finish = (*Handler).removeBucket
		return nil
	default:
		return errMethod
	}
}

func (h *Handler) onObject(e *Exchange) *failure {
	method := e.Request.Method
	switch {
	case method == http.MethodPost && e.query.has("uploads"):
		return h.beginUpload(e)
	case e.query.has("uploadId"):
		return h.onUpload(e)
	case method == http.MethodPut && e.Request.Has(copySourceHeader):
		return h.copyObject(e)
	case method == http.MethodPut:
		return h.putObject(e)
	case method == http.MethodDelete:
		e.finish = (*Handler).deleteObject
		return nil
	case method == http.MethodGet, method == http.MethodHead:
		return h.getObject(e)
	default:
		return errMethod
	}
}

func (h *Handler) dateNow() *dateHeader {
	now := time.Now()
	cached := h.date.Load()
	if cached == nil || cached.second != now.Unix() {
		cached = &dateHeader{now.Unix(), []string{now.UTC().Format(http.TimeFormat)}}
		h.date.Store(cached)
	}
	return cached
}
