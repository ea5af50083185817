package ossapi

import (
	"net/http"
	"time"
)

// What tests of this package see of its inside.

// Resolve gives what the URL of a request names.
func Resolve(r *http.Request, hosts []string, cnames map[string]string) (bucket, key, alternative string, err error) {
	res := newResolver(hosts, cnames)
	a, err := res.resolve(r)
	if err == nil {
		err = a.check()
	}
	return a.bucket, a.key, a.alternative, err
}

// ParseRange is parseRange in plain types.
func ParseRange(header string, size int64, standard bool) (off, n int64, partial bool, err error) {
	r, partial, err := parseRange(header, size, standard)
	return r.off, r.n, partial, err
}

// CheckCondition checks the headers of a request against an object.
func CheckCondition(h http.Header, etag string, modified time.Time) error {
	return readCondition(h).check(etag, modified)
}

// NewResponseWriter is the writer that handlers write to.
func NewResponseWriter(w http.ResponseWriter) http.ResponseWriter {
	return &responseWriter{ResponseWriter: w, rc: http.NewResponseController(w), start: time.Now(), timeout: time.Minute}
}

// ErrorRows are the code and status of every row of the error table.
func ErrorRows() (rows []ErrorRow) {
	for _, r := range errorTable {
		rows = append(rows, ErrorRow{r.err, r.code, r.status, r.message})
	}
	return rows
}

type ErrorRow struct {
	Err     error
	Code    string
	Status  int
	Message string
}

// ReplyTo is the code and status that an error gets.
func ReplyTo(err error) (code string, status int) {
	p := newReply(err)
	return p.code, p.status
}

// Errors that only the HTTP face knows.
var (
	ErrInvalidURI        = errInvalidURI
	ErrInvalidBucketName = errInvalidBucketName
	ErrInvalidObjectName = errInvalidObjectName
	ErrInvalidRange      = errInvalidRange
	ErrNotModified       = errNotModified
	ErrCallback          = errCallback
	Piece                = int64(piece)
)

// NotOffered are the sub-resources that are not offered.
func NotOffered() (names []string) {
	for name := range notOffered {
		names = append(names, name)
	}
	return names
}

// Requests are the requests of all operations: method, path, sub-resource.
func Requests() (all [][3]string) {
	for _, o := range operations {
		if o.Sub != "" {
			all = append(all, [3]string{o.Method, [...]string{"/", "/photos/", "/photos/cat"}[o.level], o.Sub})
		}
	}
	return all
}
