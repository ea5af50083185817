package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/tracing"
	"github.com/stocktake/stocktake/report"
)

// Run makes the report of job, reading src and writing dst: [Plan], [ScanSlice] for
// each segment, and [Publish], in one process and from one snapshot. It is all or
// nothing: it begins by removing the files of earlier attempts, and after an error,
// or if ctx ends, it removes all files that this attempt wrote. manifest.json is the
// commit point and the last file written: if ctx ends after that, Run still succeeds.
//
// If an earlier attempt has published, Run finds its manifest and reports success. If
// nothing matched, nothing is written. With [Options.Record], a recorded report is
// final: see there.
//
// Errors: those of src and dst, of Options.Record and ctx.Err(), wrapped. If files
// could not be removed, the error says so as well; the next attempt and
// [CleanAttempts] remove them.
func Run(ctx context.Context, src Source, dst Destination, job Job, opts Options) (Result, error) {
	r, err := newRun(dst, job, opts)
	if err != nil {
		return Result{}, err
	}
	published, err := r.recover(ctx, false)
	if err != nil {
		return Result{}, fmt.Errorf("clean up after earlier attempts: %w", err)
	}
	if published != nil {
		return *published, nil
	}
	r.step(Recovered)
	return r.ended(ctx)(r.report(ctx, src))
}

// ended returns a function that removes the files of a failed run.
func (r *run) ended(ctx context.Context) func(Result, error) (Result, error) {
	return func(result Result, err error) (Result, error) {
		if err != nil {
			return Result{}, errors.Join(err, r.removeCreated(ctx))
		}
		return result, nil
	}
}

// A run is one attempt at work.
type run struct {
	job   Job
	opts  Options
	dst   Destination
	at    report.Location
	names shardNames
	log   *slog.Logger

	mu       sync.Mutex
	created  []created // in the order of their creation
	recorded bool      // what is in created belongs to the run now, not to this attempt
}

func newRun(dst Destination, job Job, opts Options) (*run, error) {
	cfg := &job.Configuration
	if job.Run == "" && job.Seed != "" {
		job.Run = fmt.Sprintf("%x", seeded(&job, "run"))
	}
	switch {
	case job.Run == "":
		return nil, errors.New("the run has no id")
	case job.Attempt < 1:
		return nil, fmt.Errorf("attempt %d: must be at least 1", job.Attempt)
	case cfg.ID == "" || cfg.Destination.Bucket == "":
		return nil, errors.New("the configuration lacks an id or a destination bucket")
	}
	if opts.Format == nil {
		f, err := report.FormatNamed(cfg.Destination.Format)
		if err != nil {
			return nil, fmt.Errorf("the configuration: %w", err)
		}
		opts.Format = f
	}
	opts.Workers = cmp.Or(max(opts.Workers, 0), runtime.GOMAXPROCS(0))
	if opts.Share = cmp.Or(opts.Share, 1); !(opts.Share > 0 && opts.Share <= 1) {
		return nil, fmt.Errorf("share %v: must be above 0 and at most 1", opts.Share)
	}
	opts.MinSegment = cmp.Or(opts.MinSegment, defaultMinSegment)
	opts.Memory = cmp.Or(opts.Memory, defaultMemory)
	opts.Limits.Rows = cmp.Or(opts.Limits.Rows, report.DefaultShardRows)
	if opts.Progress == nil {
		opts.Progress = new(Progress)
	}
	if opts.Failpoint == nil {
		opts.Failpoint = func(Step) {}
	}
	r := &run{job: job, opts: opts, dst: dst, at: location(&job)}
	r.names = newShardNames(r.at.Data(), job.Run, job.Attempt, opts.Format.Suffix())
	if err := r.at.CheckKeys(opts.Format); err != nil {
		return nil, err
	}
	r.log = opts.log().With("bucket", job.Bucket, "configuration", cfg.ID, "run", job.Run, "attempt", job.Attempt)
	return r, nil
}

// seeded derives a number from the seed of job, for the purpose given.
func seeded(job *Job, purpose string) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s", purpose, job.Seed, job.Bucket, job.Configuration.ID))
	return binary.BigEndian.Uint64(sum[:])
}

// seededStart returns the start time of a report with a seed: some second from 2010
// to 2019, so that it never hides a newer report.
func seededStart(job *Job) time.Time {
	const from, seconds = 1262304000, 10 * 365 * 86400
	return time.Unix(from+int64(seeded(job, "start")%seconds), 0).UTC()
}

func (r *run) step(s Step) { r.opts.Failpoint(s) }

// report scans and publishes, or publishes the report that an earlier attempt has
// recorded. After an error, the caller must remove the files in r.created.
func (r *run) report(ctx context.Context, src Source) (Result, error) {
	if len(r.job.Recorded) > 0 {
		return r.publishRecorded(ctx)
	}
	runPlan, results, err := r.scan(ctx, src)
	if err != nil {
		return Result{}, fmt.Errorf("scan %s: %w", r.job.Bucket, err)
	}
	r.step(Scanned)
	return r.publish(ctx, runPlan, listed(results), false)
}

// scan takes the snapshot, divides it into segments, and scans them.
func (r *run) scan(ctx context.Context, src Source) (_ *RunPlan, _ []SliceResult, err error) {
	snap, opened, err := r.snapshot(ctx, src)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	pages, paged := r.paged(snap)
	runPlan, last, err := r.plan(ctx, snap, !paged)
	if err != nil {
		return nil, nil, err
	}
	r.opts.Progress.begin(runPlan.Expected, len(runPlan.Slices))
	r.step(Planned)
	var results []SliceResult
	if paged {
		results, err = r.scanPages(ctx, pages, opened, runPlan.Slices[0], last, Budget{})
	} else {
		results, err = r.scanSegments(ctx, snap, opened, runPlan.Slices)
	}
	return &runPlan, results, err
}

// paged reports whether snap is listed page by page. A run with a seed is not,
// because the arrival order of pages would affect its report.
func (r *run) paged(snap Snapshot) (PagedSnapshot, bool) {
	pages, ok := snap.(PagedSnapshot)
	return pages, ok && r.job.Seed == ""
}

// scanPages scans a slice by listing many ranges of it at once.
func (r *run) scanPages(ctx context.Context, snap PagedSnapshot, opened time.Time, slice Slice, last *stocktake.Summary, budget Budget) ([]SliceResult, error) {
	p, err := newPagedScan(snap, opened, []*run{r}, []Segment{slice.Segment.scanned(r.wantsVersions())}, last)
	if err == nil && slice.Large {
		p.table.Large()
	}
	if err != nil {
		return nil, err
	}
	p.budget = budget
	p.outputs[0].begin(SliceResult{Slice: slice, Snapshot: snap.Time()})
	ctx, span := tracing.Start(ctx, "slice")
	err = p.run(ctx)
	describe(span, p.outputs[0].results)
	span.End(err)
	return p.outputs[0].results, err
}
