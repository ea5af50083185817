package reportplace

import (
	"fmt"
	"strings"
)

// An Address is oss://BUCKET/PATH or s3://BUCKET/PATH.
type Address struct {
	Scheme string // "oss" or "s3"
	Bucket string
	Path   string // of a file or folder, or the beginning of keys; may be empty
}

// An ArgumentError reports an address that cannot be right.
type ArgumentError struct{ Err error }

// Error returns the text of Err.
func (e *ArgumentError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *ArgumentError) Unwrap() error { return e.Err }

func wrong(format string, args ...any) error { return &ArgumentError{fmt.Errorf(format, args...)} }

// ParseAddress reads an address; ok is false if text is the path of a file or folder.
// An empty text is refused: as a path it would mean the working directory. Its errors
// are *ArgumentError.
func ParseAddress(text string) (a Address, ok bool, err error) {
	if text == "" {
		return a, false, wrong("the address is empty: name a folder, s3://BUCKET/PATH or oss://BUCKET/PATH; . is this folder")
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return a, false, nil
	}
	if scheme != "oss" && scheme != "s3" {
		return a, true, wrong("%q: a bucket is at oss://BUCKET/PATH or s3://BUCKET/PATH", text)
	}
	bucket, path, _ := strings.Cut(rest, "/")
	if bucket == "" {
		return a, true, wrong("%q names no bucket: use %s://BUCKET/PATH", text, scheme)
	}
	return Address{scheme, bucket, path}, true, nil
}

// URL returns the URL of the bucket.
func (a Address) URL() string { return a.Scheme + "://" + a.Bucket }
