// Package format is the seam between reports and the file formats of their
// shards. Each format is a package with one value of [Format]; package report
// has the table of them. Readers and writers of reports know nothing of a
// format beyond this package.
//
// A shard is made of pieces. A piece is some thousands of rows that are encoded
// on their own, so that several goroutines can encode pieces of one shard at
// the same time, and a reader can begin at any of them. A joiner turns pieces,
// in the order of their rows, into one file.
package format

import (
	"io"
	"time"

	"github.com/stocktake/stocktake"
)

// A Format is a file format of shards. Its methods may be called concurrently.
// Package formattest holds every Format to this contract.
type Format interface {
	// Name is the format's name in a configuration and in a manifest's
	// fileFormat, such as "CSV". Never empty, and different for each format.
	Name() string

	// Suffix is what the key of a shard ends with, such as ".csv.gz".
	Suffix() string

	// ContentType is the media type that shards are stored with.
	ContentType() string

	// Schema returns the fileSchema of a manifest for the columns.
	Schema(columns []stocktake.Field) string

	// ParseSchema is the inverse of Schema. It returns 0 for a column whose name
	// is unknown; the values of such a column are skipped by readers. names has
	// the names as they stand. It is an error if schema is not one of this format.
	ParseSchema(schema string) (columns []stocktake.Field, names []string, err error)

	// PieceRows is how many rows a piece of a large report has: so many that
	// beginning a piece costs next to nothing, and so few that reading one from its
	// beginning is quick. At least 1.
	PieceRows() int64

	// NewEncoder returns an encoder of pieces for reports of bucket. The columns
	// are Bucket, Key, then any other columns of full reports, each once;
	// anything else is an error, as is a bucket name the format cannot hold.
	NewEncoder(bucket string, columns []stocktake.Field) (Encoder, error)

	// NewJoiner returns a joiner of pieces that encoders for the same bucket and
	// columns have made. Errors are those of NewEncoder.
	NewJoiner(bucket string, columns []stocktake.Field) (Joiner, error)

	// NewReader returns a reader of shards with the columns of ParseSchema.
	NewReader(columns []stocktake.Field) Reader
}

// An Encoder encodes records as pieces, one after another. It is not safe for
// concurrent use, but several encoders may work at the same time on pieces that
// will be joined to one shard. Encode must not allocate per record.
type Encoder interface {
	// Reset begins a piece and drops one that was not closed. The bytes of the piece
	// are written to w. They depend on the records of the piece alone: not on
	// earlier pieces, nor on how the records come in batches.
	Reset(w io.Writer)

	// Encode adds a row for each record of the batch and returns the size of
	// these rows in bytes before compression, which depends on the records alone.
	// It keeps nothing of the batch. An error is one of w; after it only Reset
	// may be called.
	Encode(batch []stocktake.Record) (size int64, err error)

	// Close ends the piece: all of it has been written to w. After Close only
	// Reset may be called.
	Close() (Piece, error)
}

// A Piece describes an encoded piece to a joiner, without its bytes.
type Piece struct {
	Rows   int64 // rows in it
	Size   int64 // bytes of the rows before compression, as Encode has returned them
	Stored int64 // bytes written

	// Detail is for the joiner of the format: a checksum, or the places of columns.
	Detail any
}

// An Origin says which run of which configuration has made a shard, for formats
// that have a place for it. The zero value says nothing.
type Origin struct {
	Configuration string    // its id
	Run           string    // id of the run
	Snapshot      time.Time // when the state was taken that the rows show
}

// A Joiner makes a shard of pieces. It writes only the bytes before, between and
// after them. The caller writes the bytes of the pieces to the same writer, so that
// an encoder needs no copy. For each piece the caller first writes its bytes, then
// calls Add. A Joiner is not safe for concurrent use. Its memory is bounded by a
// small constant for each piece.
type Joiner interface {
	// Describe sets the origin of the shards begun from now on.
	Describe(o Origin)

	// Begin begins a shard and drops one that was not ended.
	Begin(w io.Writer) error

	// Add takes note of the piece whose bytes were written last.
	Add(p Piece) error

	// End ends the shard, which may have no pieces.
	End() error
}
