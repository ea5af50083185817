package ossapi

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

// Bounds on a form, besides its file. OSS documents the first.
const (
	maxPostField  = 8 << 10   // bytes of one field
	maxPostFields = 100       // fields
	maxPostHead   = 256 << 10 // bytes of all that comes before the content of the file
)

// A postForm is a form as far as its file, which is its last field.
type postForm struct {
	fields   map[string]string // by lower-case name
	file     *multipart.Part
	filename string
}

// field returns the value of a field by its lower-case name.
func (f *postForm) field(name string) string { return f.fields[name] }

// A headLimit bounds how much is read until it is lifted.
type headLimit struct {
	r    io.Reader
	left int64 // negative: no limit
}

func (l *headLimit) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, errPostTooLong
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

// readPostForm reads the fields of a form up to the content of its file. The body
// of a form holds its signature, so this much of it is read from strangers.
func readPostForm(h http.Header, body io.Reader) (*postForm, error) {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, &detailError{err: errPostForm, text: "Bucket POST must be of the enclosure-type multipart/form-data."}
	}
	limit := &headLimit{body, maxPostHead}
	parts := multipart.NewReader(limit, params["boundary"])
	f := &postForm{fields: make(map[string]string)}
	for {
		part, err := parts.NextRawPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, &detailError{err: errPostForm, text: "POST requires exactly one file upload per request."}
		case err != nil:
			return nil, formError(err)
		}
		name := strings.ToLower(part.FormName())
		if name == "file" {
			f.file, f.filename = part, part.FileName()
			limit.left = -1
			return f, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, maxPostPolicy+1))
		if err != nil {
			return nil, formError(err)
		}
		_, twice := f.fields[name]
		switch {
		case len(value) > maxPostPolicy, len(value) > maxPostField && name != "policy", len(f.fields) == maxPostFields:
			return nil, errPostTooLong
		case name == "" || twice:
			return nil, &detailError{err: errPostForm, text: fmt.Sprintf("The field %.100q has no name or is given twice.", name)}
		}
		f.fields[name] = string(value)
	}
}

// formError distinguishes a malformed form from a body that cannot be read.
func formError(err error) error {
	if errors.Is(err, request.ErrBody) || errors.Is(err, errPostTooLong) {
		return err
	}
	return &detailError{err: errPostForm, text: "The body of your POST request is not well-formed multipart/form-data."}
}

// header returns the fields that an upload takes as headers elsewhere.
func (f *postForm) header() http.Header {
	h := http.Header{}
	for name, value := range f.fields {
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
		if v := f.fields[name]; v != "" && h.Get(name) == "" {
			h.Set(name, v)
		}
	}
	return h
}

// A rangeReader passes a file on and fails unless it has from least to most bytes.
type rangeReader struct {
	r           io.Reader
	least, most int64 // what is still to come
}

func (r *rangeReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.least -= int64(n)
	if r.most -= int64(n); r.most < 0 {
		return 0, errPostTooLarge
	}
	switch {
	case err == io.EOF && r.least > 0:
		return n, errPostTooSmall
	case err != nil && err != io.EOF:
		err = formError(err)
	}
	return n, err
}
