package request

import (
	"errors"
	"strings"

	"github.com/stocktake/stocktake"
)

// Errors of addresses.
var (
	ErrInvalidURI        = errors.New("the URL is not properly encoded")
	ErrInvalidBucketName = errors.New("the bucket name is invalid")
	ErrInvalidObjectName = errors.New("the object name is invalid")
)

// Errors of routing.
var (
	ErrNotImplemented = errors.New("not implemented")
	ErrMethod         = errors.New("the resource does not support the method")
)

// Errors of bodies.
var (
	ErrBody          = errors.New("the request's body could not be read")
	ErrChunks        = errors.New("the chunks of the request's body are malformed")
	ErrInvalidDigest = errors.New("a digest header is malformed")
	ErrMissingLength = errors.New("the request has neither a length nor chunks")
)

// A DetailError adds details to the reply to an error that only the operation
// knows.
type DetailError struct {
	Err    error
	EC     string      // instead of the table's, unless empty
	Text   string      // message instead of the table's, unless empty
	Fields [][2]string // elements
	Header [][2]string // headers
}

func (e *DetailError) Error() string { return e.Err.Error() }

// Unwrap returns the error that has the details.
func (e *DetailError) Unwrap() error { return e.Err }

// InvalidArgument returns the error that says which parameter, header or element to
// correct. The reply repeats its name and value, as OSS does.
func InvalidArgument(name, value, reason string) error {
	return &stocktake.InvalidArgumentError{Element: name, Value: Bounded(value), Reason: reason}
}

// Bounded returns the part of s, which comes from an untrusted client, that may be
// repeated or logged: at most 200 bytes of valid UTF-8.
func Bounded(s string) string { return strings.ToValidUTF8(s[:min(len(s), 200)], "") }
