package engine

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/stocktake/stocktake"
)

// A Source is a bucket store that runs read. The embedded store, S3 and OSS
// each have one; sourcetest holds all of them to the promises made here.
type Source interface {
	// Snapshot fixes what a run of bucket reads. [stocktake.ErrNoSuchBucket] if
	// there is no such bucket. The caller closes the snapshot.
	Snapshot(ctx context.Context, bucket string) (Snapshot, error)
}

// A Snapshot is a bucket as one run sees it. Its methods may be used from many
// goroutines at once.
type Snapshot interface {
	// Time is when the snapshot was taken: every change answered before it is
	// seen, as far as Consistency promises.
	Time() time.Time

	// Consistency is stocktake.Snapshot if the records show exactly the state at
	// Time.
	Consistency() stocktake.Consistency

	// Count estimates the number of records under prefix; -1 if it cannot tell
	// without reading them.
	Count(ctx context.Context, prefix string) (int64, error)

	// Split gives at most n-1 keys, ascending and distinct, all greater than
	// prefix, that cut the keys under prefix into about equal segments. It may
	// give fewer, or none.
	Split(ctx context.Context, prefix string, n int) ([]string, error)

	// Scan yields the records of seg in ascending order of key bytes, newest
	// version of a key first, in batches that are never empty. It calls yield
	// from the calling goroutine; the batch and all that its records point to
	// belong to the scan again when yield returns. An error of yield ends the scan
	// and is returned. Scan returns ctx.Err() within one batch of ctx ending.
	//
	// With versions false, only current versions that are not delete markers are
	// yielded; with true every version and delete marker.
	Scan(ctx context.Context, seg Segment, versions bool, yield func(batch []stocktake.Record) error) error

	Close() error
}

// A Segment is a key range that one worker scans: the keys that start with
// Prefix and are >= From and, unless To is empty, < To.
type Segment struct {
	Prefix   string
	From, To string
}

// A Destination is a bucket that reports are written to.
type Destination interface {
	// Create begins the object key. Nothing is visible under the key before
	// Commit.
	Create(ctx context.Context, key string, opts FileOptions) (File, error)

	// Open reads an object. fs.ErrNotExist if it is missing.
	Open(ctx context.Context, key string) (io.ReadCloser, error)

	// List yields the keys that start with prefix, ascending.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]

	// Remove deletes an object for good, whatever versioning says; a missing
	// one is no error.
	Remove(ctx context.Context, key string) error
}

// FileOptions say how a file of a report is kept.
type FileOptions struct {
	ContentType string
	Encryption  stocktake.Encryption // zero: the destination's default

	// Exclusive makes Commit fail with fs.ErrExist if the key has an object.
	Exclusive bool
}

// A File is an object being written.
type File interface {
	io.Writer

	// Commit makes the object visible under its key: whole, durable, replacing
	// what was there. md5 is that of the bytes written; a destination that
	// computes its own compares.
	Commit(ctx context.Context, md5 [16]byte) error

	// Abort drops the object. After Commit it does nothing, so that it can be
	// deferred.
	Abort() error
}
