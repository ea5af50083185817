package systemtest

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/signature"
)

// A request is a request as a client makes it.
type request struct {
	method, bucket, key string

	query  map[string]string
	header map[string]string
	body   []byte

	chunked bool
	virtual bool // the bucket is in the host
	scheme  signature.Scheme
	who     signature.Credentials // zero: anonymous
}

func (q *request) String() string {
	return fmt.Sprintf("%s %s %q?%v %v %d bytes", q.method, q.bucket, q.key, q.query, q.header, len(q.body))
}

// path returns the percent-encoded path, which includes the bucket unless the host does.
func (q *request) path() string {
	var b strings.Builder
	if !q.virtual {
		b.WriteString("/" + q.bucket)
	}
	b.WriteString("/" + escape(q.key))
	return b.String()
}

// escape percent-encodes all characters except unreserved ones and slashes.
func escape(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(s), "+", "%20"), "%2F", "/")
}

func (q *request) rawQuery() string {
	var b strings.Builder
	for name, value := range q.query {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(strings.ReplaceAll(url.QueryEscape(name), "+", "%20"))
		if value != "" {
			b.WriteString("=" + strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
		}
	}
	return b.String()
}

// build makes the signed request.
func (q *request) build(endpoint string, now time.Time) (*http.Request, error) {
	target := endpoint + q.path()
	if raw := q.rawQuery(); raw != "" {
		target += "?" + raw
	}
	r, err := http.NewRequest(q.method, target, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	if q.virtual {
		r.Host = q.bucket + "." + baseHost
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	if q.chunked {
		r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
	}
	if q.who.ID == "" {
		return r, nil
	}
	return r, signature.Sign(r, signature.Target{Bucket: q.bucket, Key: q.key}, q.who, region, max(q.scheme, signature.V1), now)
}

// call passes a request to the handler as net/http would.
func (h *house) call(q *request, now time.Time) (answer, error) {
	r, err := q.build("http://127.0.0.1:9000", now)
	if err != nil {
		return answer{}, err
	}
	r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:40000"
	if !q.chunked && (len(q.body) > 0 || q.method == "PUT" || q.method == "POST") {
		r.Header.Set("Content-Length", strconv.Itoa(len(q.body)))
	}
	r.Body = io.NopCloser(bytes.NewReader(q.body))
	rec := httptest.NewRecorder()
	h.handler.ServeHTTP(rec, r)
	return newAnswer(q.method, rec.Code, rec.Header(), rec.Body.Bytes())
}

// An answer is an answer as a client sees it.
type answer struct {
	status int
	code   string // of an error
	header http.Header
	body   []byte
}

// newAnswer parses the error of an answer that is an error.
func newAnswer(method string, status int, header http.Header, body []byte) (answer, error) {
	a := answer{status: status, header: http.Header{}, body: body}
	for name, values := range header { // as a client reads them
		a.header[http.CanonicalHeaderKey(name)] = values
	}
	if status < 300 || status == http.StatusNotModified {
		return a, nil
	}
	doc := body
	if method == http.MethodHead {
		var err error
		if doc, err = base64.StdEncoding.DecodeString(a.header.Get("X-Oss-Err")); err != nil {
			return a, err
		}
	}
	var e struct {
		XMLName   xml.Name `xml:"Error"`
		Code      string
		RequestID string `xml:"RequestId"`
	}
	if err := xml.Unmarshal(doc, &e); err != nil {
		return a, fmt.Errorf("answer %d is not an error document: %w\n%q", status, err, doc)
	}
	if e.RequestID != a.header.Get("X-Oss-Request-Id") || len(e.RequestID) != 24 {
		return a, fmt.Errorf("request id %q in the document, %q in the header", e.RequestID, a.header.Get("X-Oss-Request-Id"))
	}
	a.code = e.Code
	return a, nil
}
