package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// ingestTable is the size of the tables that Ingest writes, in bytes.
const ingestTable = 64 << 20

var (
	errIngestOrder    = errors.New("ingest: keys are not ascending")
	errIngestVersions = errors.New("ingest: several versions of a key in a bucket that never had versioning")
	errIngestUsed     = errors.New("ingest: the bucket has objects")
)

// Ingest loads the state of objects, without their bytes, into a bucket that
// has none, for benches and tests: it writes the tables of the index itself,
// in a second for a million rows. The objects come in ascending order of key,
// the newest version of a key first. Of VersionID only [object.NullVersion]
// counts; in a bucket that is not versioned every version is a null version.
//
// What is loaded can be listed, scanned, overwritten and deleted; opening an
// object of more than 0 bytes fails. Ingest takes all rows or none, and nothing
// else can write to the bucket meanwhile.
func Ingest(ctx context.Context, s *Store, name string, objects iter.Seq[object.Info]) (rows int64, err error) {
	b, err := s.bucket(name)
	if err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone {
		return 0, stocktake.ErrNoSuchBucket
	}
	switch empty, err := s.emptySpace(layout.SpaceVersions, b.id); {
	case err != nil:
		return 0, err
	case !empty:
		return 0, errIngestUsed
	}
	in := &ingester{s: s, b: b, versioning: b.state.Load().Versioning, opts: ingestOptions(s)}
	defer in.cleanUp()
	if err := in.run(ctx, objects); err != nil {
		return 0, err
	}
	if in.rows == 0 {
		return 0, nil
	}
	if err := s.db.Ingest(ctx, in.tables); err != nil {
		return 0, fmt.Errorf("ingest: %w", err)
	}
	b.stat.add(&in.delta)
	return in.rows, nil
}

func ingestOptions(s *Store) sstable.WriterOptions {
	p := layout.Options(s.blobs.fs, s.cache, nil)
	p.EnsureDefaults()
	o := p.MakeWriterOptions(len(p.Levels)-1, s.db.FormatMajorVersion().MaxTableFormat())
	o.DisableValueBlocks = true // as SpanPolicyFunc says for these rows
	return o
}

// ingester writes tables of rows.
type ingester struct {
	s          *Store
	b          *bucket
	versioning object.Versioning
	opts       sstable.WriterOptions

	w          *sstable.Writer // nil between tables
	tables     []string
	delta      layout.Delta
	rows       int64
	last       string
	key, value []byte

	// Versions of one key are numbered downwards from the top of a block that is
	// reserved when the key begins.
	seq  uint64
	left int
}

// versionsOfKey is the most versions of one key that Ingest takes.
const versionsOfKey = 1 << 10

func (in *ingester) run(ctx context.Context, objects iter.Seq[object.Info]) error {
	for o := range objects {
		if in.rows%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := in.add(&o); err != nil {
			return err
		}
	}
	if in.rows == 0 {
		return nil
	}
	// The statistics are a table of their own that is taken together with the rest.
	if err := in.beginTable("statistics"); err != nil {
		return err
	}
	in.delta[layout.StatLastModified] = in.s.opts.Now().UnixMilli()
	if err := in.w.Merge(layout.StatisticsKey(in.b.id), in.delta.AppendTo(nil)); err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	return in.endTable()
}

func (in *ingester) add(o *object.Info) error {
	order := strings.Compare(in.last, o.Key)
	switch {
	case in.rows > 0 && order > 0, len(o.Key) == 0, len(o.Key) > stocktake.MaxKeyLength:
		return fmt.Errorf("%w: %q after %q", errIngestOrder, o.Key, in.last)
	case in.rows > 0 && order == 0:
		if in.versioning == object.Unversioned {
			return fmt.Errorf("%w: %q", errIngestVersions, o.Key)
		}
		in.seq--
		if in.left--; in.left == 0 {
			return fmt.Errorf("ingest: %q has more than %d versions", o.Key, versionsOfKey-1)
		}
	default:
		block := uint64(1)
		if in.versioning != object.Unversioned {
			block = versionsOfKey
		}
		in.seq = in.s.seq.Add(block)
		if err := in.s.reserve(in.seq); err != nil {
			return err
		}
		in.left = int(block)
		if err := in.cutTable(); err != nil {
			return err
		}
	}
	in.last = o.Key
	r := layout.Row{Info: *o, Seq: in.seq, Null: in.versioning == object.Unversioned || o.VersionID == object.NullVersion}
	if o.Size > 0 && !o.IsDeleteMarker {
		r.Content.Kind = layout.ContentMissing
	}
	in.key = layout.AppendVersionKey(in.key[:0], in.b.id, o.Key, in.seq)
	in.value = layout.AppendRow(in.value[:0], &r)
	in.delta.Count(&r, 1)
	in.rows++
	return in.w.Set(in.key, in.value)
}

// cutTable begins a table if there is none or the current one is large enough.
func (in *ingester) cutTable() error {
	if in.w != nil && in.w.Raw().EstimatedSize() < ingestTable {
		return nil
	}
	return in.beginTable(strconv.FormatUint(in.seq, 16))
}

// beginTable ends the current table and begins one.
func (in *ingester) beginTable(name string) error {
	if err := in.endTable(); err != nil {
		return err
	}
	path := in.s.blobs.fs.PathJoin(in.s.blobs.tmp(), name+".sst")
	f, err := in.s.blobs.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	in.tables = append(in.tables, path)
	in.w = sstable.NewWriter(objstorageprovider.NewFileWritable(f), in.opts)
	return nil
}

func (in *ingester) endTable() error {
	if in.w == nil {
		return nil
	}
	w := in.w
	in.w = nil
	if err := w.Close(); err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	return nil
}

// cleanUp removes the tables that Pebble did not take.
func (in *ingester) cleanUp() {
	if in.w != nil {
		in.w.Close()
	}
	for _, path := range in.tables {
		_ = in.s.blobs.fs.Remove(path) // taken, or removed when the store opens
	}
}
