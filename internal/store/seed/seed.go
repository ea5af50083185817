// Package seed fills a store with many objects that have no bytes, for benches and tests: it writes
// the tables of the index directly, a million rows a second. The product does not use it.
package seed

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// noContent is the kind of content of the objects loaded here. The store does
// not know it: opening such an object fails.
const noContent layout.Kind = 4

// tableSize is the size of the tables that are written, in bytes.
const tableSize = 64 << 20

// MaxVersions is the largest number of versions of one key.
const MaxVersions = 1<<10 - 1

// Errors of objects that cannot be loaded.
var (
	ErrOrder    = errors.New("seed: keys are not ascending, or not legal")
	ErrVersions = errors.New("seed: too many versions of a key")
	ErrUsed     = errors.New("seed: the bucket has objects")
)

// Bucket creates bucket b, unless its owner already has it, in the store at dir, which no process
// may have open, and loads objects into it: all or none. The objects are in ascending order of key,
// the newest version of a key first. VersionID matters only if it is [object.NullVersion]; in a
// bucket without versioning every version is a null version.
//
// The objects can be listed, scanned, overwritten and deleted. Opening one of
// more than 0 bytes fails, and an audit of the store reports them.
func Bucket(ctx context.Context, dir string, b object.Bucket, objects iter.Seq[object.Info]) (rows int64, err error) {
	s, err := store.Open(ctx, dir, store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, err
	}
	if err := errors.Join(s.CreateBucket(ctx, object.ByService("seed"), b, false), s.Close()); err != nil {
		return 0, err
	}
	cache := pebble.NewCache(64 << 20)
	defer cache.Unref()
	opts := layout.Options(vfs.Default, cache, quiet{})
	db, err := pebble.Open(vfs.Default.PathJoin(dir, "index"), opts)
	if err != nil {
		return 0, fmt.Errorf("seed: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	l := &loader{db: db, tmp: vfs.Default.PathJoin(dir, "tmp"), versioning: b.Versioning}
	if err := l.begin(b.Name, opts); err != nil {
		return 0, err
	}
	defer l.cleanUp()
	if err := l.run(ctx, objects); err != nil || l.rows == 0 {
		return 0, err
	}
	if err := db.Ingest(ctx, l.tables); err != nil {
		return 0, fmt.Errorf("seed: %w", err)
	}
	return l.rows, nil
}

// quiet drops Pebble's log. A fatal error of Pebble ends the process.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// loader writes tables of rows.
type loader struct {
	db         *pebble.DB
	tmp        string
	versioning object.Versioning
	opts       sstable.WriterOptions
	bucket     uint32

	w          *sstable.Writer // nil between tables
	tables     []string
	delta      layout.Delta
	rows       int64
	last       string
	key, value []byte

	// Versions of one key are numbered downwards from the top of a block that is
	// reserved when the key begins.
	top  uint64 // the last number reserved
	seq  uint64
	left int
}

// begin finds the bucket and the first free sequence number.
func (l *loader) begin(name string, opts *pebble.Options) error {
	opts.EnsureDefaults()
	l.opts = opts.MakeWriterOptions(len(opts.Levels)-1, l.db.FormatMajorVersion().MaxTableFormat())
	l.opts.DisableValueBlocks = true // as the span policy says for these rows
	value, err := get(l.db, layout.BucketKey(name))
	if err != nil {
		return err
	}
	if l.bucket, _, err = layout.DecodeBucket(name, value); err != nil {
		return err
	}
	head := layout.AppendBucketHead(nil, layout.SpaceVersions, l.bucket)
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: head, UpperBound: layout.After(head)})
	if err != nil {
		return err
	}
	used := it.First()
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return err
	}
	if used {
		return ErrUsed
	}
	ceiling, err := get(l.db, layout.KeyCeiling)
	if err == nil && len(ceiling) == 8 {
		l.top = binary.BigEndian.Uint64(ceiling)
	}
	return err
}

func get(db *pebble.DB, key []byte) ([]byte, error) {
	value, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return bytes.Clone(value), nil
}

func (l *loader) run(ctx context.Context, objects iter.Seq[object.Info]) error {
	for o := range objects {
		if l.rows%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := l.add(&o); err != nil {
			return err
		}
	}
	if l.rows == 0 {
		return nil
	}
	// The statistics are a separate table that is ingested together with the rest.
	if err := l.beginTable("statistics"); err != nil {
		return err
	}
	l.delta[layout.StatLastModified] = time.Now().UnixMilli()
	if err := l.w.Merge(layout.StatisticsKey(l.bucket), l.delta.AppendTo(nil)); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if err := l.endTable(); err != nil {
		return err
	}
	return l.db.Set(layout.KeyCeiling, binary.BigEndian.AppendUint64(nil, l.top), pebble.Sync)
}

func (l *loader) add(o *object.Info) error {
	order := strings.Compare(l.last, o.Key)
	switch {
	case l.rows > 0 && order > 0, len(o.Key) == 0, len(o.Key) > stocktake.MaxKeyLength:
		return fmt.Errorf("%w: %q after %q", ErrOrder, o.Key, l.last)
	case l.rows > 0 && order == 0:
		l.seq--
		if l.left--; l.left == 0 {
			return fmt.Errorf("%w: %q", ErrVersions, o.Key)
		}
	default:
		l.left = 1
		if l.versioning != object.Unversioned {
			l.left = MaxVersions + 1
		}
		l.top += uint64(l.left)
		l.seq = l.top
		if err := l.cutTable(); err != nil {
			return err
		}
	}
	l.last = o.Key
	r := layout.Row{Info: *o, Seq: l.seq, Null: l.versioning == object.Unversioned || o.VersionID == object.NullVersion}
	if o.Size > 0 && !o.IsDeleteMarker {
		r.Content.Kind = noContent
	}
	l.key = layout.AppendVersionKey(l.key[:0], l.bucket, o.Key, l.seq)
	l.value = layout.AppendRow(l.value[:0], &r)
	l.delta.Count(&r, 1)
	l.rows++
	return l.w.Set(l.key, l.value)
}

// cutTable starts a table if there is none, or if the current one is large enough.
func (l *loader) cutTable() error {
	if l.w != nil && l.w.Raw().EstimatedSize() < tableSize {
		return nil
	}
	return l.beginTable(strconv.FormatUint(l.seq, 16))
}

// beginTable ends the current table and starts a new one.
func (l *loader) beginTable(name string) error {
	if err := l.endTable(); err != nil {
		return err
	}
	path := vfs.Default.PathJoin(l.tmp, name+".sst")
	f, err := vfs.Default.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	l.tables = append(l.tables, path)
	l.w = sstable.NewWriter(objstorageprovider.NewFileWritable(f), l.opts)
	return nil
}

func (l *loader) endTable() error {
	if l.w == nil {
		return nil
	}
	w := l.w
	l.w = nil
	if err := w.Close(); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	return nil
}

// cleanUp removes the tables that Pebble did not ingest.
func (l *loader) cleanUp() {
	if l.w != nil {
		l.w.Close()
	}
	for _, path := range l.tables {
		_ = vfs.Default.Remove(path) // ingested, or removed when the store opens
	}
}
