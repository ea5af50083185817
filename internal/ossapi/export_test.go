package ossapi

import (
	"net/http"
	"time"

	"github.com/stocktake/stocktake/internal/ossapi/postform"
	"github.com/stocktake/stocktake/internal/ossapi/request"
)

// Internals for the tests of this package.

// ParseRange is parseRange in plain types.
func ParseRange(header string, size int64, standard bool) (off, n int64, partial bool, err error) {
	r, partial, err := parseRange(header, size, standard)
	return r.off, r.n, partial, err
}

// CheckCondition checks the headers of a request against an object.
func CheckCondition(h http.Header, etag string, modified time.Time) error {
	return readPreconditions(h).check(etag, modified)
}

// NewResponseWriter returns the writer that handlers write to.
func NewResponseWriter(w http.ResponseWriter) http.ResponseWriter {
	return &responseWriter{ResponseWriter: w, rc: http.NewResponseController(w), start: time.Now(), timeout: time.Minute}
}

// ErrorRows returns the code and status of every row of the error table.
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

// ReplyTo returns the code and status that an error gets.
func ReplyTo(err error) (code string, status int) {
	p := newReply(err)
	return p.code, p.status
}

// Errors of the HTTP layer alone.
var (
	ErrInvalidRange = errInvalidRange
	ErrNotModified  = errNotModified
	ErrCallback     = errCallback
	ErrPostPolicy   = postform.ErrPolicy
	ErrPostDenied   = postform.ErrDenied
	Piece           = int64(piece)
)

// NotOffered returns the sub-resources that are not offered.
func NotOffered() (names []string) {
	for name := range request.NotOffered {
		names = append(names, name)
	}
	return names
}

// Requests returns the requests of all operations: method, path, sub-resource.
func Requests() (all [][3]string) {
	for _, o := range operations {
		if o.Sub != "" {
			all = append(all, [3]string{o.Method, [...]string{"/", "/photos/", "/photos/cat"}[o.Level], o.Sub})
		}
	}
	return all
}

// Operations returns the rows of the routing table.
func Operations() (rows []OperationRow) {
	for _, o := range operations {
		rows = append(rows, OperationRow{
			Name: o.Name, Action: o.Action, VersionAction: o.VersionAction, Handled: o.Handle != nil,
			Method: o.Method, Level: o.Level, Sub: o.Sub, With: o.With, CreatesBucket: o.CreatesBucket,
		})
	}
	return rows
}

type OperationRow struct {
	Name, Action, VersionAction string
	Handled                     bool
	Method, Sub, With           string
	Level                       request.Level
	CreatesBucket               bool
}
