package engine

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// scanned is what one segment came to.
type scanned struct {
	listed int64
	totals report.Totals
	files  []stocktake.SummaryFile
}

// scanSegments scans the segments with as many workers as are allowed, in the
// order of their keys. Nothing is handed between workers but the number of the
// next segment.
func (r *run) scanSegments(ctx context.Context, snap Snapshot, segs []Segment) ([]scanned, error) {
	results := make([]scanned, len(segs))
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(r.opts.Workers, len(segs)) {
		group.Go(func() error {
			w, err := r.newWorker(snap)
			if err != nil {
				return err
			}
			for i := int(next.Add(1)) - 1; i < len(segs); i = int(next.Add(1)) - 1 {
				if results[i], err = w.scan(ctx, i, segs[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return results, group.Wait()
}

// A worker scans one segment after another. Everything it needs per record is
// its own.
type worker struct {
	*run
	snap     Snapshot
	matcher  stocktake.Matcher
	versions bool
	excluded []byte // prefix of keys to leave out; nil: none
	shards   *report.ShardWriter
	kept     []stocktake.Record
	pace     pace

	// Of the segment at hand.
	number  int
	prefix  []byte // of the segment
	segment Segment
	cursor  *cursor
	last    []byte // last key read
	file    File   // nil: no shard is begun
	key     string // of file
	out     scanned
}

func (r *run) newWorker(snap Snapshot) (*worker, error) {
	cfg := &r.job.Configuration
	shards, err := report.NewShardWriter(r.opts.Format, r.job.Bucket, cfg.Columns(), r.opts.Limits)
	if err != nil {
		return nil, err
	}
	w := &worker{
		run: r, snap: snap,
		versions: cfg.IncludedObjectVersions == stocktake.AllVersions,
		shards:   shards,
		pace:     newPace(&r.opts),
	}
	w.matcher = stocktake.NewMatcher(cfg.Filter, !w.versions)
	w.matcher.SkipPrefix() // segments have it
	if snap.Consistency() != stocktake.Snapshot && cfg.Destination.Bucket == r.job.Bucket {
		w.excluded = []byte(r.names.run) // the listing may come upon our own shards
	}
	return w, nil
}

func (w *worker) scan(ctx context.Context, number int, seg Segment) (scanned, error) {
	w.number, w.segment, w.prefix = number, seg, []byte(seg.Prefix)
	w.cursor = w.opts.Progress.cursor(number)
	w.last, w.out = w.last[:0], scanned{}
	err := w.snap.Scan(ctx, seg, w.versions, func(batch []stocktake.Record) error { return w.batch(ctx, batch) })
	if err == nil && w.file != nil {
		err = w.endShard(ctx)
	}
	if w.file != nil {
		w.shards.Drop()
		w.file.Abort() // the error that brought us here says more
		w.file = nil
	}
	w.cursor.finish()
	return w.out, err
}

// batch adds the records that match to the shard at hand.
func (w *worker) batch(ctx context.Context, batch []stocktake.Record) error {
	if err := w.check(batch); err != nil {
		return err
	}
	rows, size := w.out.totals.Rows, w.out.totals.Bytes
	kept := w.match(batch)
	for len(kept) > 0 {
		if w.file == nil {
			if err := w.beginShard(ctx); err != nil {
				return err
			}
		}
		n, err := w.shards.Write(kept)
		if err != nil {
			return fmt.Errorf("write %s: %w", w.key, err)
		}
		kept = kept[n:]
		if w.shards.Full() {
			if err := w.endShard(ctx); err != nil {
				return err
			}
		}
	}
	w.out.listed += int64(len(batch))
	w.opts.Progress.add(len(batch), w.out.totals.Rows-rows, w.out.totals.Bytes-size)
	w.cursor.move(w.last)
	return w.pace.step(ctx)
}

// check holds the source to its order where that costs nothing, at the ends of
// a batch: a report out of order would be wrong in silence.
func (w *worker) check(batch []stocktake.Record) error {
	first, last := batch[0].Key, batch[len(batch)-1].Key
	if bytes.Compare(first, w.last) < 0 || bytes.Compare(last, first) < 0 ||
		!bytes.HasPrefix(first, w.prefix) || !bytes.HasPrefix(last, w.prefix) ||
		string(first) < w.segment.From || w.segment.To != "" && string(last) >= w.segment.To {
		return fmt.Errorf("the source is out of order: keys %.200q to %.200q after %.200q, in the segment from %.200q to %.200q",
			first, last, w.last, w.segment.From, w.segment.To)
	}
	w.last = append(w.last[:0], last...)
	return nil
}

// match counts the records of the batch that match and returns them: the batch
// as it is if all do, else copies, as the batch is the source's.
func (w *worker) match(batch []stocktake.Record) []stocktake.Record {
	all := true
	for i := range batch {
		r := &batch[i]
		if !w.matcher.Match(r) || w.excluded != nil && bytes.HasPrefix(r.Key, w.excluded) {
			if all {
				w.kept = append(w.kept[:0], batch[:i]...)
				all = false
			}
			continue
		}
		w.out.totals.Add(r)
		if !all {
			w.kept = append(w.kept, *r)
		}
	}
	if all {
		return batch
	}
	return w.kept
}

func (w *worker) beginShard(ctx context.Context) (err error) {
	w.key = w.names.shard(w.number, len(w.out.files))
	if w.file, err = w.create(ctx, created{key: w.key}, w.opts.Format.ContentType()); err != nil {
		return err
	}
	if err := w.shards.Begin(w.file); err != nil {
		return fmt.Errorf("write %s: %w", w.key, err)
	}
	w.step(ShardCreated)
	return nil
}

func (w *worker) endShard(ctx context.Context) error {
	shard, err := w.shards.End()
	if err != nil {
		return fmt.Errorf("write %s: %w", w.key, err)
	}
	if err := w.file.Commit(ctx, shard.Sum); err != nil {
		return fmt.Errorf("commit %s: %w", w.key, err)
	}
	w.file = nil
	shard.Key = w.key
	w.out.files = append(w.out.files, shard.SummaryFile)
	w.opts.Progress.shard(shard.Size)
	w.step(ShardCommitted)
	return nil
}
