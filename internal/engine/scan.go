package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/format"
	"github.com/stocktake/stocktake/report/rollup"
)

// ScanSlice scans a slice of the run of job, up to the end of its segment or of
// opts.Slice, and writes its shards. Slices of a run may be scanned in any order, at
// the same time, and in different processes: each has its own attempt in job.Attempt.
// The results are the input of [Publish], in the order of their keys, and say where
// the next slices begin. There is one result, except that the scan of a
// PagedSnapshot, which reads a slice at many places, returns one for each part
// between two unread parts.
//
// Errors are those of src and dst, and ctx.Err(), wrapped. After an error the shards
// that it has written are removed; if that fails, the error says so as well.
func ScanSlice(ctx context.Context, src Source, dst Destination, job Job, slice Slice, opts Options) ([]SliceResult, error) {
	r, err := newRun(dst, job, opts)
	if err != nil {
		return nil, err
	}
	results, err := r.scanSlice(ctx, src, slice)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("scan %s: %w", job.Bucket, err), r.removeCreated(ctx))
	}
	return results, nil
}

func (r *run) scanSlice(ctx context.Context, src Source, slice Slice) (_ []SliceResult, err error) {
	snap, opened, err := r.snapshot(ctx, src)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	r.opts.Progress.begin(0, 1)
	if pages, ok := r.paged(snap); ok {
		return r.scanPages(ctx, pages, opened, slice, r.previous(ctx), r.opts.Slice)
	}
	w, err := r.newWorker(snap, opened)
	if err != nil {
		return nil, err
	}
	result, err := w.traced(ctx, slice, r.opts.Progress.cursor(0))
	return []SliceResult{result}, err
}

// snapshot takes a snapshot of the source and returns it with the time by the clock
// of this process.
func (r *run) snapshot(ctx context.Context, src Source) (Snapshot, time.Time, error) {
	begun := time.Now()
	snap, err := src.Snapshot(ctx, r.job.Bucket)
	return snap, begun, err
}

// scanSegments scans each segment as one slice, with as many workers as are
// allowed, in the order of their keys. Workers share only the
// number of the next segment.
func (r *run) scanSegments(ctx context.Context, snap Snapshot, opened time.Time, slices []Slice) ([]SliceResult, error) {
	r.opts.Slice = Budget{}
	results := make([]SliceResult, len(slices))
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(r.opts.Workers, len(slices)) {
		group.Go(func() error {
			w, err := r.newWorker(snap, opened)
			if err != nil {
				return err
			}
			for i := int(next.Add(1)) - 1; i < len(slices); i = int(next.Add(1)) - 1 {
				if results[i], err = w.traced(ctx, slices[i], r.opts.Progress.cursor(i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return results, group.Wait()
}

// A worker scans one slice after another. Workers share nothing that is needed per
// record.
type worker struct {
	*output
	snap     Snapshot
	opened   time.Time // when snap was taken, by the clock of this process
	matcher  stocktake.Matcher
	versions bool
	excluded []byte          // prefix of keys to leave out; nil: none
	rollup   *rollup.Builder // of the current slice; nil until there is one
	kept     []stocktake.Record
	pace     pace

	// Of the current slice.
	begun  time.Time
	prefix []byte // of the segment
	cursor *cursor
	last   []byte // last key read
}

func (r *run) newWorker(snap Snapshot, opened time.Time) (*worker, error) {
	cfg := &r.job.Configuration
	shards, err := report.NewShardWriter(r.opts.Format, r.job.Bucket, cfg.Columns(), r.opts.Limits)
	if err != nil {
		return nil, err
	}
	shards.Describe(r.origin(snap))
	w := &worker{
		output: &output{run: r, shards: shards, details: newDetails(snap, cfg.Columns())}, snap: snap, opened: opened,
		versions: cfg.IncludedObjectVersions == stocktake.AllVersions,
		pace:     newPace(&r.opts),
	}
	w.matcher = stocktake.NewMatcher(cfg.Filter, !w.versions)
	w.matcher.SkipPrefix() // segments have it
	w.excluded = r.excluded(snap)
	return w, nil
}

// origin returns the source that the shards of the run state.
func (r *run) origin(snap Snapshot) format.Origin {
	o := format.Origin{Configuration: r.job.Configuration.ID, Run: r.job.Run, Snapshot: snap.Time()}
	if r.job.Seed != "" {
		o.Snapshot = seededStart(&r.job)
	}
	return o
}

// excluded returns the prefix of keys of the source that do not belong in the report,
// because a listing that is not a snapshot may contain the shards of its own run. nil
// if there are none.
func (r *run) excluded(snap Snapshot) []byte {
	if snap.Consistency() == stocktake.ConsistencySnapshot || r.job.Configuration.Destination.Bucket != r.job.Bucket {
		return nil
	}
	return []byte(r.names.run)
}

// errSliceEnds ends a scan because the budget of the slice is used up.
var errSliceEnds = errors.New("the slice ends")

func (w *worker) scan(ctx context.Context, slice Slice, cursor *cursor) (SliceResult, error) {
	w.begun, w.prefix, w.cursor = time.Now(), []byte(slice.Segment.Prefix), cursor
	w.last, w.out = w.last[:0], SliceResult{Slice: slice, Snapshot: w.snap.Time(), Journal: journalOf(w.snap)}
	w.beginRollup()
	err := w.snap.Scan(ctx, slice.Segment, w.versions, func(batch []stocktake.Record) error { return w.batch(ctx, batch) })
	if w.out.Done = err == nil; errors.Is(err, errSliceEnds) {
		err = nil
	}
	if err == nil && w.file != nil {
		err = w.endShard(ctx)
	}
	w.dropShard() // of a scan that has failed
	w.cursor.finish()
	if err == nil {
		w.out.Rollup = w.rollup.Part()
		w.out.Doubts.Unavailable = w.details.unavailable()
	}
	w.out.End = w.out.Snapshot.Add(time.Since(w.opened))
	return w.out, err
}

// beginRollup begins the roll-up of a slice.
func (w *worker) beginRollup() {
	start := startOf(&w.out)
	if w.rollup != nil && w.rollup.Start().Equal(start) {
		w.rollup.Reset()
		return
	}
	w.rollup = w.newRollup(start)
}

// batch adds the matching records to the current shard.
func (w *worker) batch(ctx context.Context, batch []stocktake.Record) error {
	if err := w.check(batch); err != nil {
		return err
	}
	if err := w.details.fetch(ctx, batch, func(i int) bool { return w.matches(&batch[i]) }); err != nil {
		return err
	}
	matched := w.match(batch)
	kept := matched
	for len(kept) > 0 {
		if w.file == nil {
			if w.slicesShards() {
				// Records that do not fit into this slice count as not read.
				batch = w.until(batch, len(matched)-len(kept))
				break
			}
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
	before := w.out.Totals
	w.count(matched[:len(matched)-len(kept)])
	w.out.Listed += int64(len(batch))
	w.opts.Progress.add(len(batch), w.out.Totals.Rows-before.Rows, w.out.Totals.Bytes-before.Bytes)
	w.cursor.move(batch[len(batch)-1].Key)
	if w.slicesShards() && w.file == nil || w.opts.Slice.Time > 0 && time.Since(w.begun) >= w.opts.Slice.Time || w.opts.Slice.stopped() {
		w.out.Next = w.after(&batch[len(batch)-1])
		return errSliceEnds
	}
	return w.pace.step(ctx)
}

// slicesShards reports whether the slice has as many shards as allowed.
func (w *worker) slicesShards() bool {
	return w.opts.Slice.Shards > 0 && len(w.out.Files) >= w.opts.Slice.Shards
}

// until returns the batch up to its n-th matching record; n is at least 1.
func (w *worker) until(batch []stocktake.Record, n int) []stocktake.Record {
	for i := range batch {
		if w.matches(&batch[i]) {
			if n--; n == 0 {
				return batch[:i+1]
			}
		}
	}
	return batch
}

// after returns the cursor behind r in this scan.
func (w *worker) after(r *stocktake.Record) Cursor {
	c := Cursor{Key: string(r.Key)}
	if w.versions {
		c.Version = string(r.VersionID)
	}
	return c
}

// check verifies the order of the source at the ends of a batch, where the check
// costs nothing: a report out of order would be wrong without any sign.
func (w *worker) check(batch []stocktake.Record) error {
	first, last := batch[0].Key, batch[len(batch)-1].Key
	seg := &w.out.Slice.Segment
	if bytes.Compare(first, w.last) < 0 || bytes.Compare(last, first) < 0 ||
		!bytes.HasPrefix(first, w.prefix) || !bytes.HasPrefix(last, w.prefix) ||
		string(first) < seg.From || seg.To != "" && string(last) >= seg.To {
		return fmt.Errorf("the source is out of order: keys %.200q to %.200q after %.200q, in the segment from %.200q to %.200q",
			first, last, w.last, seg.From, seg.To)
	}
	w.last = append(w.last[:0], last...)
	return nil
}

// count adds up records that were written.
func (w *worker) count(records []stocktake.Record) {
	for i := range records {
		w.out.Totals.Add(&records[i])
	}
	w.out.Doubts.merge(w.details.doubts(records))
	w.rollup.Add(records)
}

// match returns the matching records of the batch: the batch itself if all match,
// else copies, since the batch belongs to the source.
func (w *worker) match(batch []stocktake.Record) []stocktake.Record {
	all := true
	for i := range batch {
		r := &batch[i]
		if !w.matches(r) {
			if all {
				w.kept = append(w.kept[:0], batch[:i]...)
				all = false
			}
			continue
		}
		if !all {
			w.kept = append(w.kept, *r)
		}
	}
	if all {
		return batch
	}
	return w.kept
}

func (w *worker) matches(r *stocktake.Record) bool {
	return w.matcher.Match(r) && (w.excluded == nil || !bytes.HasPrefix(r.Key, w.excluded))
}
