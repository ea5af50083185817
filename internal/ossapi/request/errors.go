package request

import (
	"strings"

	"github.com/stocktake/stocktake"
)

// A DetailError adds details that only the operation knows to the reply of an
// error.
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
// correct. OSS adds
// its name and value to the reply.
func InvalidArgument(name, value, reason string) error {
	return &stocktake.InvalidArgumentError{Element: name, Value: Bounded(value), Reason: reason}
}

// Bounded returns s, which a stranger sent, cut to what may be repeated or logged:
// 200 bytes of valid UTF-8.
func Bounded(s string) string { return strings.ToValidUTF8(s[:min(len(s), 200)], "") }
