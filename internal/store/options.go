package store

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stocktake/stocktake/internal/object"
)

// Options tune a [Store]. The zero value suits production.
type Options struct {
	Now func() time.Time // the server's clock; nil means time.Now
	Log *slog.Logger     // nil means slog.Default()

	// CacheBytes bounds the memory for blocks of the index, in bytes; 0 means
	// 64 MiB. Write buffers (16 MiB each, at most 4) come on top.
	CacheBytes int64

	// InlineBytes is the size up to which the bytes of an object are kept in the index, where they
	// share the fsync of the commit; a file needs three more. 0 means 65,536, which is also the
	// maximum.
	InlineBytes int

	// Keys encrypts data keys. nil: objects cannot be encrypted, and a write that
	// asks for it fails with object.ErrKMSKey.
	Keys Keyring

	// JournalBytes bounds the journal of a bucket, in bytes before compression; above it the oldest
	// changes are dropped. 0 means 1 GiB. All journals together use at most a tenth of the disk, in
	// equal shares.
	JournalBytes int64

	// FS is the file system; nil means the operating system's. Tests use one that fails or crashes.
	FS vfs.FS

	// MaxBuckets is how many buckets an owner may have; 0 means 100.
	//
	// Source: OSS developer guide, limits.
	MaxBuckets int

	fatal func(error) // for tests: called instead of ending the process
}

// A Keyring wraps the data keys that objects are encrypted with. Its methods
// may be called by many goroutines at once. An unknown or disabled key is
// object.ErrKMSKey.
type Keyring interface {
	// Wrap encrypts a data key for objects of encryption e in a bucket of an owner, with a key of
	// that owner. It returns e with an empty KeyID replaced by that of the key used, if it has one.
	Wrap(ctx context.Context, owner string, e object.Encryption, dataKey []byte) (used object.Encryption, wrapped []byte, err error)

	// Unwrap is the inverse; e is what Wrap returned.
	Unwrap(ctx context.Context, e object.Encryption, wrapped []byte) (dataKey []byte, err error)
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 64 << 20
	}
	if o.InlineBytes <= 0 || o.InlineBytes > maxInline {
		o.InlineBytes = maxInline
	}
	if o.JournalBytes <= 0 {
		o.JournalBytes = 1 << 30
	}
	if o.MaxBuckets <= 0 {
		o.MaxBuckets = 100
	}
	if o.fatal == nil {
		// The log of the index cannot be written, so no further change can be acknowledged. The
		// next start finds every acknowledged change.
		o.fatal = func(error) { os.Exit(1) }
	}
	return o
}
