// Package s3 answers the S3 subset of backends/CONTRACT.md on net/http.
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

// exchange is one request on its way to its answer.
type exchange struct {
	http.ResponseWriter
	request   *http.Request
	requestID string
	target    string // path and query as they were sent
	bucket    string
	key       string
	query     query
	seal      *sigv4.Seal // nil when nobody verifies
}

// dateHeader is the Date of one second, shared by its requests.
type dateHeader struct {
	second int64
	values []string
}

var serverHeader = []string{"pausemark"}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	number := h.requests.Add(1)
	// An odd factor makes this a permutation of 64 bits: unique, without a lock or a collision.
	e := &exchange{ResponseWriter: writer, request: request,
		requestID: upperHex(h.seed + number*0x9E3779B97F4A7C15)}
	header := writer.Header()
	header["Date"] = h.dateNow()
	header["Server"] = serverHeader
	header["x-amz-request-id"] = []string{e.requestID}
	if status := gate.Refusal(request.Context()); status != 0 {
		e.fail(refusal(status))
		return
	}
	if failed := h.dispatch(e); failed != nil {
		e.fail(failed)
	}
}

func (h *Handler) dispatch(e *exchange) *failure {
	if failed := e.parseTarget(); failed != nil {
		return failed
	}
	if failed := h.authenticate(e); failed != nil {
		return failed
	}
	if len(e.key) > keyBytesMax {
		return errKeyTooLong
	}
	switch {
	case e.bucket == "":
		return h.service(e)
	case e.key == "":
		return h.onBucket(e)
	default:
		return h.onObject(e)
	}
}

// parseTarget splits the target itself, because URL.Path cannot tell `%2F` from `/`.
func (e *exchange) parseTarget() *failure {
	e.target = e.request.RequestURI
	if !strings.HasPrefix(e.target, "/") {
		e.target = e.request.URL.RequestURI()
	}
	path, rawQuery, _ := strings.Cut(e.target, "?")
	rawBucket, rawKey, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	var errBucket, errKey error
	e.bucket, errBucket = url.PathUnescape(rawBucket)
	e.key, errKey = url.PathUnescape(rawKey)
	if errBucket != nil || errKey != nil || !utf8.ValidString(e.bucket) || !utf8.ValidString(e.key) {
		return errInvalidURI
	}
	var ok bool
	if e.query, ok = parseQuery(rawQuery); !ok {
		return errInvalidURI
	}
	return nil
}

func (h *Handler) service(e *exchange) *failure {
	switch {
	case e.request.Method != http.MethodGet:
		return errMethod
	case !e.query.only():
		return errNotImplemented
	}
	return h.listBuckets(e)
}

func (h *Handler) onBucket(e *exchange) *failure {
	switch e.request.Method {
	case http.MethodGet:
		return h.getBucket(e)
	case http.MethodPost:
		if e.query.has("delete") && e.query.only("delete") {
			return h.deleteMany(e)
		}
		if e.query.only() {
			return errMethod
		}
		return errNotImplemented
	case http.MethodPut, http.MethodHead, http.MethodDelete:
		if !e.query.only() {
			return errNotImplemented
		}
	default:
		return errMethod
	}
	switch e.request.Method {
	case http.MethodPut:
		return h.createBucket(e)
	case http.MethodHead:
		if h.store.Bucket(e.bucket) == nil {
			return errNoSuchBucket
		}
		e.reply(http.StatusOK, nil)
		return nil
	default:
		return h.removeBucket(e)
	}
}

func (h *Handler) onObject(e *exchange) *failure {
	method := e.request.Method
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPost:
	default:
		return errMethod
	}
	if !e.query.only() {
		return h.onUpload(e)
	}
	bucket := h.store.Bucket(e.bucket)
	switch {
	case method == http.MethodPost:
		return errMethod
	case method == http.MethodPut && e.request.Header[copySourceHeader] != nil:
		return h.copyObject(e)
	case bucket == nil:
		return errNoSuchBucket
	case method == http.MethodPut:
		return h.putObject(e, bucket)
	case method == http.MethodDelete:
		return h.deleteObject(e, bucket)
	default:
		return h.getObject(e, bucket)
	}
}

func (h *Handler) dateNow() []string {
	now := time.Now()
	cached := h.date.Load()
	if cached == nil || cached.second != now.Unix() {
		cached = &dateHeader{now.Unix(), []string{now.UTC().Format(http.TimeFormat)}}
		h.date.Store(cached)
	}
	return cached.values
}
