package postform

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/stocktake/stocktake/internal/ossapi/request"
)

// Errors of forms. Those of [Read] and [ParsePolicy] may be a
// [*request.DetailError] that says more.
var (
	ErrForm     = errors.New("the form is malformed")
	ErrTooLong  = errors.New("the fields of the form are too long")
	ErrPolicy   = errors.New("the policy of the form is malformed")
	ErrDenied   = errors.New("the policy of the form does not allow it")
	ErrTooLarge = errors.New("the file of the form is too large")
	ErrTooSmall = errors.New("the file of the form is too small")
)

// Bounds on a form, besides its file. OSS documents the first.
const (
	maxField  = 8 << 10   // bytes of one field
	maxFields = 100       // fields
	maxHead   = 256 << 10 // bytes of everything before the content of the file
)

// A Form is an upload form whose fields have been read. Its file, the last field,
// is still unread.
type Form struct {
	Fields   map[string]string // values by lower-case name
	Filename string            // as the client named the file; may be empty

	file *multipart.Part
}

// Field returns the value of a field by its lower-case name; empty if there is
// none.
func (f *Form) Field(name string) string { return f.Fields[name] }

// File returns the content of the file, which can be read once. Reading fails with
// ErrTooSmall or ErrTooLarge if the file has less than least or more than most
// bytes.
func (f *Form) File(least, most int64) io.Reader { return &rangeReader{f.file, least, most} }

// A headLimit bounds how much is read until it is lifted.
type headLimit struct {
	r    io.Reader
	left int64 // negative: no limit
}

func (l *headLimit) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, ErrTooLong
	}
	if l.left > 0 {
		p = p[:min(int64(len(p)), l.left)]
	}
	n, err := l.r.Read(p)
	if l.left > 0 {
		l.left -= int64(n)
	}
	return n, err
}

// Read reads the fields of a form up to the content of its file. The signature is
// one of the fields, so this much is read from unauthenticated clients.
func Read(h http.Header, body io.Reader) (*Form, error) {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, &request.DetailError{Err: ErrForm, Text: "Bucket POST must be of the enclosure-type multipart/form-data."}
	}
	limit := &headLimit{body, maxHead}
	parts := multipart.NewReader(limit, params["boundary"])
	f := &Form{Fields: make(map[string]string)}
	for {
		part, err := parts.NextRawPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, &request.DetailError{Err: ErrForm, Text: "POST requires exactly one file upload per request."}
		case err != nil:
			return nil, formError(err)
		}
		name := strings.ToLower(part.FormName())
		if name == "file" {
			f.file, f.Filename = part, part.FileName()
			limit.left = -1
			return f, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, maxPolicy+1))
		if err != nil {
			return nil, formError(err)
		}
		_, twice := f.Fields[name]
		switch {
		case len(value) > maxPolicy, len(value) > maxField && name != "policy", len(f.Fields) == maxFields:
			return nil, ErrTooLong
		case name == "" || twice:
			return nil, &request.DetailError{Err: ErrForm, Text: fmt.Sprintf("The field %.100q has no name or is given twice.", name)}
		}
		f.Fields[name] = string(value)
	}
}

// formError distinguishes a malformed form from a body that cannot be read.
func formError(err error) error {
	if errors.Is(err, request.ErrBody) || errors.Is(err, ErrTooLong) {
		return err
	}
	return &request.DetailError{Err: ErrForm, Text: "The body of your POST request is not well-formed multipart/form-data."}
}

// Header returns the fields that other uploads send as headers.
func (f *Form) Header() http.Header {
	h := http.Header{}
	for name, value := range f.Fields {
		switch {
		case name == "x-oss-content-type":
			h.Set("Content-Type", value)
		case name == "callback", name == "callback-var":
			h.Set("x-oss-"+name, value)
		case strings.HasPrefix(name, "x-oss-"):
			h.Set(name, value)
		}
	}
	for _, name := range [...]string{"content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires"} {
		if v := f.Fields[name]; v != "" && h.Get(name) == "" {
			h.Set(name, v)
		}
	}
	return h
}

// A rangeReader reads a file and fails if it has less than least or more than most
// bytes.
type rangeReader struct {
	r           io.Reader
	least, most int64 // what is still to come
}

func (r *rangeReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.least -= int64(n)
	if r.most -= int64(n); r.most < 0 {
		return 0, ErrTooLarge
	}
	switch {
	case err == io.EOF && r.least > 0:
		return n, ErrTooSmall
	case err != nil && err != io.EOF:
		err = formError(err)
	}
	return n, err
}
