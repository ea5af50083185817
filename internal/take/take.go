// Package take makes one report without a server. It stores its state in the
// destination, next to the report. If a take is interrupted or its process ends,
// the next call with the same job continues from there.
package take

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/report"
)

// A Job says what to list and where the report goes.
type Job struct {
	// Origin names the source for people, and identifies it: the URL of its service,
	// and the name of the bucket there.
	Origin string

	Source      engine.Source
	Bucket      string // as the report names it
	Destination engine.Destination

	// Configuration has the columns, the filter, the format, and where in the
	// destination the report goes.
	Configuration stocktake.InventoryConfiguration
}

// Options tune [Run]. The zero value continues an unfinished take.
type Options struct {
	Fresh    bool          // start over, and remove the files of an unfinished take
	Slice    time.Duration // interval at which the state is saved, besides at the end; 0: DefaultSlice
	Workers  int           // key ranges listed concurrently, if the plan has so many; 0: GOMAXPROCS
	Limits   report.Limits // of a shard
	Expected int64         // objects, for the progress; 0: unknown, or as many as in the last report

	// Begun is called once it is known whether an earlier take is continued; may be
	// nil.
	Begun func(Begun)

	// Follow is called once, with a function that returns the progress of the take.
	// That function may be called at any time. nil means no call.
	Follow func(progress func() stocktake.Progress)

	Log *slog.Logger // nil: slog.Default()
}

// Begun describes the beginning of a take.
type Begun struct {
	Continued bool
	Attempt   int       // from 1
	Started   time.Time // of the first attempt
	Listed    int64     // by earlier attempts
}

// DefaultSlice is the most work that is lost when the process ends. Each time the
// state is saved, all shards that are being written end.
const DefaultSlice = 10 * time.Minute

// patience is how long after the end of its context a take may continue to write
// what it has listed.
const patience = 30 * time.Second

// ErrInterrupted is returned after the end of the context if the state was saved,
// so that the next take continues.
var ErrInterrupted = errors.New("interrupted")

// ErrOther means that the destination has the state of an unfinished take of
// another job. It is wrapped with a description of that job.
var ErrOther = errors.New("the destination has an unfinished take with other arguments")

// ErrUnreadable means that the destination has a state that is damaged, or that
// another version has written. Options.Fresh replaces it.
var ErrUnreadable = errors.New("the checkpoint is damaged, or another version wrote it")

// Run makes the report. It always writes a manifest, even if nothing matches. If
// ctx ends, Run saves the state and returns ErrInterrupted. If a listing fails, Run
// saves what was listed before. After other errors the state stays as well. They are
// those of source and destination, ErrOther and ErrUnreadable.
func Run(ctx context.Context, job Job, opts Options) (engine.Result, error) {
	t := &taking{job: job, opts: opts, log: cmp.Or(opts.Log, slog.Default()), active: map[*engine.Progress]bool{}, stop: make(chan struct{})}
	t.end = sync.OnceFunc(func() { close(t.stop) })
	t.opts.Slice = cmp.Or(opts.Slice, DefaultSlice)
	t.opts.Workers = cmp.Or(opts.Workers, runtime.GOMAXPROCS(0))
	defer context.AfterFunc(ctx, t.end)()
	if err := t.begin(ctx); err != nil {
		return engine.Result{}, t.interrupted(ctx, err)
	}
	if opts.Follow != nil {
		opts.Follow(t.progress)
	}
	if err := t.scan(ctx); err != nil {
		return engine.Result{}, t.interrupted(ctx, err)
	}
	result, err := engine.Publish(ctx, job.Destination, t.engineJob(), *t.state.Plan, t.state.Results, t.engineOptions(nil))
	if err != nil {
		return engine.Result{}, t.interrupted(ctx, err)
	}
	// The report is complete; the next take recognizes a state that is left as done.
	if err := job.Destination.Remove(context.WithoutCancel(ctx), t.key()); err != nil {
		t.log.Warn("cannot remove the state of the take", "key", t.key(), "err", err)
	}
	return result, nil
}

// A taking is one call of Run.
type taking struct {
	job  Job
	opts Options
	log  *slog.Logger

	mu     sync.Mutex
	state  state
	active map[*engine.Progress]bool // of the slices that are being scanned
	saving sync.Mutex                // held while the state is written
	failed error                     // of the source: why the take must end
	stop   chan struct{}             // closed when the take must end
	end    func()                    // closes stop
}

// fail ends the take because the source has failed. What was listed is written and saved.
func (t *taking) fail(err error) {
	t.mu.Lock()
	if t.failed == nil {
		t.failed = fmt.Errorf("scan %s: %w", t.job.Bucket, err)
	}
	t.mu.Unlock()
	t.end()
}

// reason returns why the take must end: nil if it need not.
func (t *taking) reason(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(t.failed, ctx.Err())
}

// interrupted returns ErrInterrupted if an error is only the end of ctx and the
// state was saved.
func (t *taking) interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) && t.state.Plan != nil {
		return fmt.Errorf("%w: %w", ErrInterrupted, err)
	}
	return err
}

func (t *taking) engineJob() engine.Job {
	return engine.Job{
		Run: t.state.Run, Attempt: t.state.Attempt, Queued: t.state.Started,
		Bucket: t.job.Bucket, Configuration: t.job.Configuration, Expected: t.opts.Expected,
	}
}

func (t *taking) engineOptions(p *engine.Progress) engine.Options {
	return engine.Options{
		Whole: true, Workers: t.opts.Workers, Limits: t.opts.Limits, EmptyManifest: true, Slice: engine.Budget{Time: t.opts.Slice, Stop: t.stop, Failed: t.fail}, Progress: p, Log: t.log,
	}
}

// begin finds the state of an earlier attempt, or makes a plan.
func (t *taking) begin(ctx context.Context) error {
	if err := t.load(ctx); err != nil {
		return err
	}
	if t.state.Plan != nil && t.opts.Fresh {
		if err := t.startOver(ctx); err != nil {
			return err
		}
	}
	continued := t.state.Plan != nil
	if continued {
		t.state.Attempt++ // each attempt has its own file names
	} else if err := t.plan(ctx); err != nil {
		return err
	}
	if t.opts.Begun != nil {
		t.opts.Begun(Begun{Continued: continued, Attempt: t.state.Attempt, Started: t.state.Started, Listed: t.listed()})
	}
	return t.save(ctx)
}

func (t *taking) plan(ctx context.Context) error {
	t.state = state{Version: stateVersion, Job: t.identity(), Origin: t.job.Origin, Run: uuid.NewString(), Attempt: 1, Started: time.Now().UTC()}
	o, err := engine.Plan(ctx, t.job.Source, t.job.Destination, t.engineJob(), t.engineOptions(nil))
	if err != nil {
		return err
	}
	t.state.Plan, t.state.Pending = &o, o.Slices
	return nil
}

// startOver removes the files of an unfinished take.
func (t *taking) startOver(ctx context.Context) error {
	if err := engine.CleanAttempts(ctx, t.job.Destination, t.engineJob(), t.engineOptions(nil)); err != nil {
		return fmt.Errorf("start over: %w", err)
	}
	if err := t.job.Destination.Remove(ctx, t.key()); err != nil {
		return fmt.Errorf("start over: %w", err)
	}
	t.state = state{}
	return nil
}

// MemoryLimit is the soft memory limit of a process that takes, in bytes, for any
// bucket: rows that wait to be written, pages, and garbage.
const MemoryLimit = 384 << 20

// scan scans the remaining slices, several concurrently, and saves the state after
// each. After the end of ctx, or when the source fails, it first writes what has been
// listed.
func (t *taking) scan(ctx context.Context) error {
	patient, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(patience, cancel) })()
	g, work := errgroup.WithContext(patient)
	g.SetLimit(t.opts.Workers)
	for _, s := range slices.Clone(t.state.Pending) {
		g.Go(func() error {
			for todo := []engine.Slice{s}; len(todo) > 0; {
				// Without an error, because that would end the slices that are being written.
				if t.reason(ctx) != nil || work.Err() != nil {
					return nil
				}
				rest, err := t.slice(work, todo[0])
				if err != nil {
					return err
				}
				todo = append(rest, todo[1:]...)
			}
			return nil
		})
	}
	return errors.Join(g.Wait(), t.reason(ctx))
}

// slice scans a slice, and returns what remains of it.
func (t *taking) slice(ctx context.Context, s engine.Slice) (rest []engine.Slice, err error) {
	p := new(engine.Progress)
	t.mu.Lock()
	t.active[p] = true
	t.mu.Unlock()
	results, err := engine.ScanSlice(ctx, t.job.Source, t.job.Destination, t.engineJob(), s, t.engineOptions(p))
	t.mu.Lock()
	delete(t.active, p)
	if err != nil {
		t.mu.Unlock()
		return nil, err
	}
	t.state.Results = append(t.state.Results, results...)
	for i := range results {
		if left, more := results[i].Rest(); more {
			rest = append(rest, left)
		}
	}
	pending := slices.DeleteFunc(slices.Clone(t.state.Pending), func(o engine.Slice) bool { return o == s })
	t.state.Pending = append(pending, rest...)
	t.mu.Unlock()
	return rest, t.save(ctx)
}

// listed returns the number of records in the results.
func (t *taking) listed() (n int64) {
	for i := range t.state.Results {
		n += t.state.Results[i].Listed
	}
	return n
}

// progress returns the progress of the take, including earlier attempts.
func (t *taking) progress() stocktake.Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	var sum stocktake.Progress
	for i := range t.state.Results {
		r := &t.state.Results[i]
		sum.Listed += r.Listed
		sum.Matched += r.Totals.Rows
		sum.Bytes += r.Totals.Bytes
		sum.Shards += len(r.Files)
		for _, f := range r.Files {
			sum.Written += f.Size
		}
	}
	for p := range t.active {
		now := p.Load()
		sum.Listed += now.Listed
		sum.Matched += now.Matched
		sum.Bytes += now.Bytes
		sum.Shards += now.Shards
		sum.Written += now.Written
		sum.Key = cmp.Or(sum.Key, now.Key)
	}
	sum.Expected = max(t.state.Plan.Expected, t.opts.Expected)
	return sum
}
