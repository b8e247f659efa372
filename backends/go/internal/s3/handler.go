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
	path      string // likewise; what an error calls its resource
	bucket    string
	key       string
	query     query
	seal      *sigv4.Seal // nil when nobody verifies
	planned   bool        // whether the body is one that is read
	received  bool        // whether it was, to its end
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
		e.path, e.received = "/", true
		e.fail(refusal(status))
		return
	}
	failed := h.dispatch(e)
	if failed == errCutOff {
		if !gate.Broken(request.Context()) {
			panic(http.ErrAbortHandler) // it is how net/http ends a connection without an answer
		}
		e.path, failed = "/", errBadRequest
	}
	if failed != nil {
		e.fail(failed)
	}
	e.readPast(failed)
}

func (h *Handler) dispatch(e *exchange) *failure {
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

// parseTarget splits the target itself, because URL.Path cannot tell `%2F` from `/`.
func (e *exchange) parseTarget() *failure {
	e.target = withoutAuthority(e.request.RequestURI)
	path, rawQuery, _ := strings.Cut(e.target, "?")
	e.path = strings.ReplaceAll(path, string([]byte{gate.BadEscape}), "%")
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
	if e.query, ok = parseQuery(rawQuery); !ok {
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

func (h *Handler) service(e *exchange) *failure {
	if e.request.Method != http.MethodGet {
		return errMethod
	}
	return h.listBuckets(e)
}

func (h *Handler) onBucket(e *exchange) *failure {
	switch e.request.Method {
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
		e.reply(http.StatusOK, nil)
		return nil
	case http.MethodDelete:
		return h.removeBucket(e)
	default:
		return errMethod
	}
}

func (h *Handler) onObject(e *exchange) *failure {
	method := e.request.Method
	switch {
	case method == http.MethodPost && e.query.has("uploads"):
		return h.beginUpload(e)
	case e.query.has("uploadId"):
		return h.onUpload(e)
	case method == http.MethodPut && e.request.Header[copySourceHeader] != nil:
		return h.copyObject(e)
	case method == http.MethodPut:
		return h.putObject(e)
	case method == http.MethodDelete:
		return h.deleteObject(e)
	case method == http.MethodGet, method == http.MethodHead:
		return h.getObject(e)
	default:
		return errMethod
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
