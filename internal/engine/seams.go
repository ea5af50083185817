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
	// Snapshot returns a fixed view of bucket for one run. It returns
	// [stocktake.ErrNoSuchBucket] if the bucket does not exist. The caller closes the
	// snapshot.
	Snapshot(ctx context.Context, bucket string) (Snapshot, error)
}

// A Snapshot is a bucket as one run sees it. Its methods are safe for
// concurrent use.
type Snapshot interface {
	// Time is when the snapshot was taken: as far as Consistency promises, it shows
	// every change that was acknowledged before.
	Time() time.Time

	// Consistency is stocktake.ConsistencySnapshot if the records show exactly the
	// state at Time. With stocktake.ConsistencyWindow, a scan shows each version that
	// exists throughout the scan exactly once; versions that are created or deleted
	// meanwhile may be shown or not.
	Consistency() stocktake.Consistency

	// Count estimates the number of records under prefix; -1 if it cannot without
	// reading them.
	Count(ctx context.Context, prefix string) (int64, error)

	// Split returns at most n-1 keys, ascending, distinct and greater than prefix,
	// that cut the keys under prefix into about equal segments. It may return fewer,
	// or none. A cut may be any bytes, not only a key of the bucket.
	Split(ctx context.Context, prefix string, n int) ([]string, error)

	// Scan yields the records of seg in ascending order of key bytes, the newest
	// version of a key first, in batches that are never empty. It calls yield from
	// the calling goroutine. When yield returns, the scan reuses the batch and
	// everything that its records point to.
	//
	// With versions false, it yields the current versions that are not delete
	// markers; with true, every version and delete marker.
	//
	// A batch is the unit in which the source reads, such as one page of a listing,
	// and is yielded before the next one is requested. An error of yield ends the
	// scan and is returned, without further cost at the source: the caller ends a
	// scan this way when it has given the rest of the segment to another scan. Scan
	// returns ctx.Err() within one batch after ctx has ended, and ErrCursorGone
	// before the first batch if it cannot find the position of seg.After.
	Scan(ctx context.Context, seg Segment, versions bool, yield func(batch []stocktake.Record) error) error

	Close() error
}

// A PagedSnapshot is a Snapshot of a store that is listed over a network, page by
// page. Its runs make many scans at once, of key ranges that they choose during the
// scan. Any other Snapshot is read as fast as this machine can.
type PagedSnapshot interface {
	Snapshot

	// Requests returns how many scans the store accepts at once. It is called
	// repeatedly. Less than 1 counts as 1.
	Requests() int

	// Pages is Scan with the page boundaries made visible: each batch has the rows of
	// seg in one page, and more says that rows of seg may follow it, without a
	// further request to find out. A page without rows of seg is not yielded.
	Pages(ctx context.Context, seg Segment, versions bool, yield func(batch []stocktake.Record, more bool) error) error
}

// A JournaledSnapshot is a Snapshot of a store that keeps journals of its buckets.
type JournaledSnapshot interface {
	Snapshot

	// Journal returns the position of the bucket's journal in the snapshot, or nil if
	// the bucket has none: the records show every change up to the position, and none
	// behind it. The changes up to it are durable.
	Journal() *stocktake.JournalPosition
}

// journalOf returns the position of the bucket's journal in snap, nil if it has none.
func journalOf(snap Snapshot) *stocktake.JournalPosition {
	if j, ok := snap.(JournaledSnapshot); ok {
		return j.Journal()
	}
	return nil
}

// ErrCursorGone is returned by a scan that should resume behind a version that has
// been deleted meanwhile, if the store cannot determine which versions are older.
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

// A Cursor is a position between two records: behind the version of Key. The zero
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
	// Create begins the object key. The object becomes visible with Commit.
	Create(ctx context.Context, key string, opts FileOptions) (File, error)

	// Open reads an object. fs.ErrNotExist if it is missing.
	Open(ctx context.Context, key string) (io.ReadCloser, error)

	// OpenRange reads length bytes of an object from offset on, or all up to its end
	// if length is negative or the object ends before. It returns fs.ErrNotExist if
	// the object is missing, and io.ErrUnexpectedEOF if it has no byte at offset.
	OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)

	// List yields the keys that start with prefix, ascending.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]

	// FreeSpace returns how many bytes can still be written, -1 if the destination does
	// not know.
	FreeSpace(ctx context.Context) (int64, error)

	// Remove deletes an object permanently, regardless of versioning. Removing a
	// missing object is not an error.
	Remove(ctx context.Context, key string) error
}

// An Addressed is a Destination whose objects have another address in other programs
// than oss://BUCKET/, as used in symlink.txt.
type Addressed interface {
	// Address returns the prefix of the addresses of objects, such as
	// "s3://reports/".
	Address() string
}

// An Uploader is a Destination that keeps the parts of a file whose process dies
// before it commits or aborts it, and may bill for them.
type Uploader interface {
	// AbortUploads drops the unfinished uploads of keys that start with prefix, no
	// matter who began them, and returns how many there were. An upload that has
	// ended meanwhile is not an error.
	AbortUploads(ctx context.Context, prefix string) (int, error)
}

// FileOptions say how a file of a report is stored.
type FileOptions struct {
	ContentType string
	Encryption  stocktake.Encryption // zero: the destination's default

	// Exclusive makes Commit fail with fs.ErrExist if the key has an object.
	Exclusive bool
}

// A File is an object being written. It is not safe for concurrent use.
type File interface {
	io.Writer

	// Commit makes the object visible under its key: complete, durable, replacing any
	// previous object. md5 is that of the bytes written; a destination that computes
	// its own MD5 compares both.
	Commit(ctx context.Context, md5 [16]byte) error

	// Abort drops the object. After Commit it does nothing, so that it can be
	// deferred.
	Abort() error
}
