package report

import (
	"io"

	"github.com/stocktake/stocktake"
)

// A Compressor turns records into the stored bytes of shards, one shard after
// another: a complete gzip stream of the rows that an [Encoder] of the same
// bucket and columns would append. [Gzip] is the plain one. It is not safe for
// concurrent use.
type Compressor interface {
	// Reset begins a shard, dropping what was not closed. The shard's bytes are
	// written to w.
	Reset(w io.Writer)

	// Encode adds a row for each record of the batch and returns the size of
	// these rows in bytes, before compression. It keeps nothing of the batch. After
	// an error, which is one of w, only Reset is of use.
	Encode(batch []stocktake.Record) (size int64, err error)

	// Close ends the shard: all of it has been written to w.
	Close() error
}
