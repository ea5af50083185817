package engine

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/stocktake/stocktake"
)

// A Source is a store whose buckets runs read. sourcetest is this contract as a
// test suite.
type Source interface {
	// Snapshot fixes what a run of bucket reads. It returns
	// [stocktake.ErrNoSuchBucket] if the bucket does not exist. The caller closes
	// the snapshot.
	Snapshot(ctx context.Context, bucket string) (Snapshot, error)
}

// A Snapshot is a bucket as one run sees it. Its methods are safe for
// concurrent use.
type Snapshot interface {
	// Time is when the snapshot was taken: it shows every change that was answered
	// before, as far as Consistency promises.
	Time() time.Time

	// Consistency is stocktake.ConsistencySnapshot if the records show exactly the state at
	// Time. With stocktake.ConsistencyWindow, a scan shows each version that exists throughout
	// the scan exactly once, and may or may not show what comes or goes meanwhile.
	Consistency() stocktake.Consistency

	// Count estimates the number of records under prefix; -1 if it cannot without
	// reading them.
	Count(ctx context.Context, prefix string) (int64, error)

	// Split returns at most n-1 keys, ascending, distinct and greater than prefix,
	// that cut the keys under prefix into about equal segments. It may return fewer,
	// or none. A cut may be any bytes, not only a key of the bucket.
	Split(ctx context.Context, prefix string, n int) ([]string, error)

	// Scan yields the records of seg in ascending order of key bytes, the newest
	// version of a key first, in batches that are never empty. It calls yield
	// from the calling goroutine; the batch and all that its records point to
	// belong to the scan again when yield returns.
	//
	// With versions false, it yields the current versions that are not delete
	// markers; with true, every version and delete marker.
	//
	// A batch is what the source reads at once, such as one page of a listing, and
	// is yielded before the next is asked for. An error of yield ends the scan and is
	// returned, and costs the source nothing further: the caller ends a scan
	// this way when it has cut the rest of the segment off for another scan.
	// Scan returns ctx.Err() within one batch after ctx has ended, and ErrCursorGone
	// before the first batch if it cannot find where seg.After is.
	Scan(ctx context.Context, seg Segment, versions bool, yield func(batch []stocktake.Record) error) error

	Close() error
}

// A PagedSnapshot is a Snapshot of a store that is listed over a network, page by
// page. Its runs make many scans at once, of key ranges that they choose while
// they go on. A Snapshot that is not one is read as fast as this machine can.
type PagedSnapshot interface {
	Snapshot

	// Requests returns how many scans the store bears at once. It is asked again
	// and again. Less than 1 counts as 1.
	Requests() int

	// Pages is Scan with both versions and pages told apart: each batch is what one
	// page has of seg, and more says that rows of seg may follow it, without a
	// further request to find out. A page without rows of seg is not yielded.
	Pages(ctx context.Context, seg Segment, versions bool, yield func(batch []stocktake.Record, more bool) error) error
}

// A JournaledSnapshot is a Snapshot of a store that keeps journals of its buckets.
type JournaledSnapshot interface {
	Snapshot

	// Journal returns where the journal of the bucket stands in the snapshot, or nil
	// if the bucket has none: the records show every change up to the position, and
	// none behind it. The changes up to it are durable.
	Journal() *stocktake.JournalPosition
}

// journalOf returns where the journal of the bucket stands in snap, nil if it has
// none.
func journalOf(snap Snapshot) *stocktake.JournalPosition {
	if j, ok := snap.(JournaledSnapshot); ok {
		return j.Journal()
	}
	return nil
}

// ErrCursorGone is returned by a scan that should resume behind a version that
// has been deleted meanwhile, if the store cannot tell which versions are
// older.
var ErrCursorGone = errors.New("the version to resume after is gone")

// A Segment is a range of records: those whose key starts with Prefix, is >=
// From and, unless To is empty, < To. The bounds may be any bytes.
type Segment struct {
	Prefix   string
	From, To string

	// After, if not empty, is the id of a version of the key From: of that key, only
	// the older versions belong to the segment. It is used in scans of all versions.
	After string
}

// A Cursor is a place between two records: behind the version of Key. The zero
// value is before all records.
type Cursor struct {
	Key     string
	Version string // empty: behind all versions of Key
}

// Rest returns the part of seg that comes after c, which lies in seg.
func (c Cursor) Rest(seg Segment) Segment {
	switch {
	case c == Cursor{}:
	case c.Version == "":
		seg.From, seg.After = c.Key+"\x00", "" // the next key there can be
	default:
		seg.From, seg.After = c.Key, c.Version
	}
	return seg
}

// A Destination is a bucket that reports are written to. Its methods are safe
// for concurrent use.
type Destination interface {
	// Create begins the object key. Nothing is visible under the key before
	// Commit.
	Create(ctx context.Context, key string, opts FileOptions) (File, error)

	// Open reads an object. fs.ErrNotExist if it is missing.
	Open(ctx context.Context, key string) (io.ReadCloser, error)

	// OpenRange reads length bytes of an object from offset on, or all up to its
	// end if length is negative or the object ends before. fs.ErrNotExist if the
	// object is missing, io.ErrUnexpectedEOF if it has no byte at offset.
	OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)

	// List yields the keys that start with prefix, ascending.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]

	// Room returns how many bytes can still be written, as far as the destination
	// knows; -1: it does not.
	Room(ctx context.Context) (int64, error)

	// Remove deletes an object for good, whatever versioning says. Removing a
	// missing object is not an error.
	Remove(ctx context.Context, key string) error
}

// An Addressed is a Destination that other programs know by another address than
// oss://BUCKET/, as symlink.txt has it.
type Addressed interface {
	// Address is what stands before the keys in the addresses of objects, such as
	// "s3://reports/".
	Address() string
}

// An Uploader is a Destination that keeps the parts of a file whose process dies
// before it commits or aborts it, and may bill for them.
type Uploader interface {
	// AbortUploads drops the unfinished uploads of keys that start with prefix, whoever
	// has begun them, and returns how many there were. An upload that has ended
	// meanwhile is not an error.
	AbortUploads(ctx context.Context, prefix string) (int, error)
}

// FileOptions say how a file of a report is kept.
type FileOptions struct {
	ContentType string
	Encryption  stocktake.Encryption // zero: the destination's default

	// Exclusive makes Commit fail with fs.ErrExist if the key has an object.
	Exclusive bool
}

// A File is an object being written. It is not safe for concurrent use.
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
