package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/stocktake/stocktake/internal/store/blob"
	"github.com/stocktake/stocktake/internal/store/indexlog"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// A Repaired holds the results of [Repair].
type Repaired struct {
	Kept   int64  // entries of the index that could be read
	Older  int64  // entries taken from checkpoints; tell was called for those of objects
	Lost   int64  // objects and uploads that were dropped, since their bytes are gone
	Gaps   int64  // ranges missing from both the index and the checkpoints
	Damage string // path of the damaged index; empty: nothing was damaged
}

// Repair replaces the damaged index of the store in dir, which no process may have open, by a new
// one. The new index has all readable entries; for unreadable ranges it has the entries of the
// newest checkpoint that has them. Repair drops objects whose bytes do not exist, and counts the
// statistics again. It calls tell for everything that is lost or may have an older state. The
// damaged index stays under another name. If nothing is damaged, or after an error, nothing
// changes.
func Repair(ctx context.Context, dir string, log *slog.Logger, tell func(Problem)) (done Repaired, err error) {
	r := &repairer{ctx: ctx, tell: tell, log: indexlog.New(log, func(error) {}), cache: pebble.NewCache(64 << 20), stats: map[uint32]*layout.Delta{}, buckets: map[uint32]string{}, broken: map[uint32]bool{}}
	defer r.cache.Unref()
	index := filepath.Join(dir, "index")
	if err := checkIndexFiles(vfs.Default, index); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return done, err
	}
	from, err := r.open(index, true) // which locks the store
	if err != nil {
		return done, fmt.Errorf("open the index: %w", incomplete(err))
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if whole, err := r.whole(from); err != nil || whole {
		return r.Repaired, err
	}
	fresh := index + ".repair"
	if err := os.RemoveAll(fresh); err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(fresh)) }() // it was renamed if all went well
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return done, err
	}
	if r.blobs, err = blob.Open(vfs.Default, dir, true); err != nil {
		return done, err
	}
	if r.to, err = r.open(fresh, false); err != nil {
		return done, err
	}
	gaps, err := r.copy(from, []gap{{Before: []byte{0xff}}}, "")
	damaged := gaps
	if len(gaps) > 0 && err == nil {
		gaps, err = r.fromCheckpoints(dir, gaps)
	}
	if err == nil {
		err = r.checkRows(damaged)
	}
	if closeErr := r.to.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return r.Repaired, err
	}
	for _, g := range gaps {
		r.Gaps++
		tell(Problem{"index", fmt.Sprintf("the keys after %x and before %x are lost", g.After, g.Before)})
	}
	r.Damage = index + ".lost-" + time.Now().UTC().Format(checkpointTime)
	err = errors.Join(os.Rename(index, r.Damage), os.Rename(fresh, index), syncFolder(dir))
	return r.Repaired, err
}

// repairer makes a new index.
type repairer struct {
	Repaired
	ctx     context.Context
	tell    func(Problem)
	log     *indexlog.Log
	cache   *pebble.Cache
	blobs   *blob.Dir
	to      *pebble.DB
	seq     uint64 // the greatest number seen
	buckets map[uint32]string
	stats   map[uint32]*layout.Delta
	broken  map[uint32]bool // buckets whose journal does not match the state of their objects
}

func (r *repairer) open(dir string, readOnly bool) (*pebble.DB, error) {
	opts := layout.Options(vfs.Default, r.cache, r.log)
	opts.EventListener = r.log.Events()
	opts.ReadOnly = readOnly
	return pebble.Open(dir, opts)
}

// whole reads the whole index and reports whether all of it is readable. It is called first,
// because the index may be undamaged, and a copy takes as much space as the index.
func (r *repairer) whole(from *pebble.DB) (bool, error) {
	entries := int64(0)
	err := eachReadable(from, nil, []byte{0xff}, func(_, _ []byte) error {
		entries++
		return r.ctx.Err()
	}, func(gap) error { return errDamagedIndex })
	if errors.Is(err, errDamagedIndex) {
		return false, nil
	}
	r.Kept = entries
	return err == nil, err
}

// errDamagedIndex ends the search for damage.
var errDamagedIndex = errors.New("the index is damaged")

// fromCheckpoints fills gaps from the newest checkpoint that has them.
func (r *repairer) fromCheckpoints(dir string, gaps []gap) ([]gap, error) {
	all, err := checkpoints(dir)
	for _, c := range all {
		if err != nil || len(gaps) == 0 {
			break
		}
		from, openErr := r.open(c, true)
		if openErr != nil {
			r.log.Logger.Warn("store: a checkpoint cannot be used", "checkpoint", c, "err", openErr)
			continue
		}
		gaps, err = r.copy(from, gaps, filepath.Base(c))
		err = errors.Join(err, from.Close())
	}
	return gaps, err
}

// copy copies the entries of an index in the ranges and returns the ranges that it lacks. older is
// the name of the checkpoint; empty: it is the index.
func (r *repairer) copy(from *pebble.DB, ranges []gap, older string) (left []gap, err error) {
	for _, g := range ranges {
		lower := append(bytes.Clone(g.After), 0)
		if len(g.After) == 0 {
			lower = nil
		}
		err := eachReadable(from, lower, g.Before, func(key, value []byte) error {
			if older != "" {
				r.Older++
				if key[0] == layout.SpaceVersions || key[0] == layout.SpaceUploads {
					r.tell(Problem{fmt.Sprintf("row %x", key), "it is restored as of " + older})
				}
			} else {
				r.Kept++
			}
			return r.put(key, value)
		}, func(g gap) error {
			left = append(left, gap{bytes.Clone(g.After), bytes.Clone(g.Before), g.Err})
			return nil
		})
		if err != nil {
			return left, err
		}
	}
	return left, r.ctx.Err()
}

// put adds an entry. Statistics are counted later.
func (r *repairer) put(key, value []byte) error {
	if key[0] == layout.SpaceStatistics {
		return nil
	}
	return r.to.Set(key, value, pebble.NoSync)
}

// checkRows drops rows whose bytes are gone, repairs journals, and writes statistics and the
// ceiling of sequence numbers.
func (r *repairer) checkRows(damaged []gap) error {
	err := r.each(layout.SpaceBuckets, func(key, value []byte) error {
		id, _, err := layout.DecodeBucket(string(key[1:]), value)
		if err == nil {
			r.buckets[id], r.stats[id] = string(key[1:]), new(layout.Delta)
		}
		return nil
	})
	for _, space := range []byte{layout.SpaceVersions, layout.SpaceUploads} {
		if err != nil {
			return err
		}
		err = r.each(space, r.row)
	}
	if err != nil {
		return err
	}
	for _, space := range []byte{layout.SpaceData, layout.SpaceMaps, layout.SpaceIntents, layout.SpaceRemovals} {
		if err := r.each(space, func(key, _ []byte) error {
			if len(key) == 9 {
				r.seq = max(r.seq, binary.BigEndian.Uint64(key[1:]))
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if err := r.blobs.Each(func(id uint64) error { r.seq = max(r.seq, id); return nil }, func(string) error { return nil }); err != nil {
		return err
	}
	r.breakJournals(damaged)
	if err := r.journals(); err != nil {
		return err
	}
	for id, d := range r.stats {
		if err := r.to.Merge(layout.StatisticsKey(id), d.AppendTo(nil), pebble.NoSync); err != nil {
			return err
		}
	}
	ceiling, err := get(r.to, layout.KeyCeiling)
	if err != nil {
		return err
	}
	if len(ceiling) != 8 || binary.BigEndian.Uint64(ceiling) < r.seq {
		return r.to.Set(layout.KeyCeiling, binary.BigEndian.AppendUint64(nil, r.seq+seqLease), pebble.Sync)
	}
	return r.to.Set(layout.KeyCeiling, ceiling, pebble.Sync)
}

func (r *repairer) each(space byte, f func(key, value []byte) error) error {
	it, err := r.to.NewIter(&pebble.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if err := f(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	return errors.Join(it.Error(), r.ctx.Err())
}

// row counts a row, or drops it if its bytes are gone.
func (r *repairer) row(key, value []byte) error {
	d := r.stats[binary.BigEndian.Uint32(key[1:])]
	if key[0] == layout.SpaceUploads {
		if upload, err := layout.DecodeUpload(key, value); err == nil && d != nil {
			r.seq = max(r.seq, upload.Seq)
			d[layout.StatUploads]++
		}
		return nil
	}
	row, err := layout.DecodeRow(key, value)
	if err == nil && d == nil {
		err = errors.New("its bucket is lost")
	}
	if err == nil {
		r.seq = max(r.seq, row.Seq)
		err = r.bytes(&row)
	}
	if err == nil {
		d.Count(&row, 1)
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, layout.ErrMalformed) && d != nil {
		return err
	}
	r.Lost++
	r.broken[binary.BigEndian.Uint32(key[1:])] = true
	subject := fmt.Sprintf("row %x", key)
	if d != nil && row.Info.Key != "" {
		subject = fmt.Sprintf("object %q of bucket %s", row.Info.Key, r.buckets[binary.BigEndian.Uint32(key[1:])])
	}
	r.tell(Problem{subject, "it is lost: " + strings.TrimPrefix(err.Error(), "index: ")})
	return r.to.Delete(bytes.Clone(key), pebble.NoSync)
}

// bytes returns fs.ErrNotExist if bytes of a row do not exist.
func (r *repairer) bytes(row *layout.Row) error {
	pieces := []layout.Piece{{Content: row.Content, Size: row.Info.Size}}
	if row.Content.Kind == layout.ContentMap {
		var err error
		if pieces, err = getPieces(r.to, row.Content.ID); err != nil {
			return err
		}
	}
	for _, p := range pieces {
		switch {
		case p.InFile():
			if _, err := r.blobs.Size(p.ID); err != nil {
				return err
			}
		case p.Kind == layout.ContentInline:
			data, err := get(r.to, layout.IDKey(layout.SpaceData, p.ID))
			if err != nil {
				return err
			}
			if data == nil {
				return fs.ErrNotExist
			}
		}
	}
	return nil
}
