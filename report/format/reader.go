package format

import (
	"context"
	"fmt"
	"io"

	"github.com/stocktake/stocktake"
)

// A File is a shard as a Reader sees it: stored bytes that can be read in
// ranges.
type File interface {
	// Size is the number of stored bytes.
	Size() int64

	// Open reads length bytes from offset on, or all that follow if length is
	// negative. fs.ErrNotExist if the file is missing.
	Open(ctx context.Context, offset, length int64) (io.ReadCloser, error)
}

// A Place is where a piece begins in a shard. The zero value is the beginning
// of the shard.
type Place struct {
	Row    int64 // rows before it
	Offset int64 // stored bytes before it
}

// A Reader reads the rows of shards, one shard after another, reusing its
// memory, which does not grow with the shard. It is not safe for concurrent
// use.
type Reader interface {
	// Open starts reading f at a place where a piece begins, which the caller knows
	// from the writer of the shard. It ends the previous shard.
	Open(ctx context.Context, f File, at Place) error

	// Next returns the next row, which is valid until the next call; io.EOF after
	// the last. A *RowError, with its File left empty, is an error of one row. If
	// it is not Fatal the next row can be read; after any other error none can.
	Next() (*Row, error)

	// Close ends reading. Afterwards only Open may be called.
	Close() error
}

// A Row is a row of a report, decoded. Everything in it is valid until the next
// row is read; Clone makes a copy that stays.
type Row struct {
	Bucket []byte
	stocktake.Record
	Change stocktake.Change // of a row of an incremental report

	values [][]byte
	text   Text
}

// Text renders the values of the last row that a Reader returned. A format whose
// values are not text implements it, so that only callers that need text pay for
// it.
type Text interface {
	// AppendValues appends the text of each column to dst.
	AppendValues(dst [][]byte) [][]byte
}

// SetValues sets the result of Values.
func (r *Row) SetValues(values [][]byte) { r.values, r.text = values, nil }

// SetText makes the first call of Values render the text.
func (r *Row) SetText(t Text) { r.values, r.text = r.values[:0], t }

// Values returns the values of all columns as text, in the order of the schema:
// as they stand in the rows of a CSV report, without quotes.
func (r *Row) Values() [][]byte {
	if r.text != nil {
		r.values, r.text = r.text.AppendValues(r.values[:0]), nil
	}
	return r.values
}

// Clone returns a copy of the row that shares nothing with it.
func (r *Row) Clone() *Row {
	c := *r
	values := r.Values()
	n := len(r.Bucket) + len(r.Key) + len(r.VersionID) + len(r.ETag.Text) + len(r.Change.Requester) + len(r.Change.RequestID) + len(r.Change.SourceIP)
	for _, v := range values {
		n += len(v)
	}
	buf := make([]byte, 0, n)
	clone := func(v []byte) []byte {
		if v == nil {
			return nil
		}
		from := len(buf)
		buf = append(buf, v...)
		return buf[from:len(buf):len(buf)]
	}
	c.Bucket, c.Key, c.VersionID, c.ETag.Text = clone(r.Bucket), clone(r.Key), clone(r.VersionID), clone(r.ETag.Text)
	c.Change.Requester, c.Change.RequestID, c.Change.SourceIP = clone(r.Change.Requester), clone(r.Change.RequestID), clone(r.Change.SourceIP)
	c.values, c.text = make([][]byte, len(values)), nil
	for i, v := range values {
		c.values[i] = clone(v)
	}
	return &c
}

// A RowError says which row of a shard cannot be read, and why.
type RowError struct {
	File   string // key of the shard
	Row    int64  // from 1
	Column string // empty: the row as a whole
	Value  string // of the column, at most 200 bytes of it
	Fatal  bool   // no row after it can be read
	Err    error
}

func (e *RowError) Error() string { return fmt.Sprintf("%s: row %d: %s", e.File, e.Row, e.Detail()) }

// Detail returns the text of the error without the place where it occurred.
func (e *RowError) Detail() string {
	if e.Column == "" {
		return e.Err.Error()
	}
	return fmt.Sprintf("%s %q: %v", e.Column, e.Value, e.Err)
}

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Err }

// CheckColumns reports what is wrong with bucket and columns for an encoder of
// full reports; each format asks it first. The columns are Bucket, Key, then any
// other columns of full reports, each once.
func CheckColumns(bucket string, columns []stocktake.Field) error {
	if bucket == "" || len(bucket) > MaxBucket {
		return fmt.Errorf("bucket name %.300q: it has 1 to %d bytes", bucket, MaxBucket)
	}
	return stocktake.CheckColumns(columns)
}

// MaxBucket is the longest name of a bucket in a report, in bytes; no store
// allows more.
const MaxBucket = 255
