package report

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/stocktake/stocktake"
)

// A Bucket is where reports are read from.
type Bucket interface {
	// Open reads an object. fs.ErrNotExist if it is missing.
	Open(ctx context.Context, key string) (io.ReadCloser, error)

	// List yields the keys that start with prefix, ascending.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// ErrNoReport is returned by [Find] if no report of the location is complete.
var ErrNoReport = errors.New("no complete report")

// A Report is a report that is complete.
type Report struct {
	Key      string // of manifest.json
	Manifest stocktake.Manifest
	Summary  *stocktake.Summary // nil: there is none, as with a report that OSS made
	Columns  []stocktake.Field  // 0 for a column of a name that is not known

	bucket Bucket
}

// Find returns the key of the manifest of the newest complete report of the
// location, or ErrNoReport.
func Find(ctx context.Context, b Bucket, l Location) (manifest string, err error) {
	return "", errors.ErrUnsupported
}

// Open reads the manifest with the key given, and the summary beside it.
func Open(ctx context.Context, b Bucket, manifest string) (*Report, error) {
	return nil, errors.ErrUnsupported
}
