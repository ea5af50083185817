// Package cluster makes runs on several machines that share a PostgreSQL database.
//
// A run is divided into tasks: one that plans, slices of the bucket, one that sums
// them up, and one that publishes. Each task is a row in the table tasks, and a job
// of River that wakes a worker. The job is added in the transaction that adds the
// row. The result of a task and the tasks that follow from it are committed in one
// transaction.
//
// Only the row counts. Its generation is the number of the attempt that may write:
// every write names it, and taking a task away from a worker increments it. So a
// worker that was presumed dead and resumes changes nothing. It removes the shards
// that it has written, which no other attempt can have written, because the
// generation is in their names. A job is only a wake-up: the sweeper adds a lost one
// again, and a superfluous one finds nothing to do.
//
// Runs of one bucket that are due together share a listing: then the plan and the
// slices are its tasks, and the result of a slice is recorded for each run. See
// listing.go.
//
// The process that holds the run (inventory.Service) coordinates it: it adds the first
// task, watches, records the report in the catalog when the run is summed up, and
// ends the run. If the process dies, the next holder continues from the rows.
package cluster

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/runner/local"
)

// A Catalog holds the runs to which tasks belong.
type Catalog interface {
	// Run returns the run of an id, or stocktake.ErrNoSuchRun.
	Run(ctx context.Context, id string) (stocktake.Run, error)

	// BegunRuns returns the runs that were begun and have not ended, of a configuration,
	// of a bucket if id is empty, or of all if bucket is empty, too, those queued first
	// before the others.
	BegunRuns(ctx context.Context, bucket, id string) ([]stocktake.Run, error)

	// RunConfiguration returns the configuration with which a run was begun, even if
	// it was replaced since; stocktake.ErrNoSuchInventory if it is gone.
	RunConfiguration(ctx context.Context, run string) (stocktake.InventoryConfiguration, error)
}

// Options tune a Runner. Durations of 0 stand for the defaults of production.
type Options struct {
	Slots int // slices that this process scans at once; 0: it carries out no tasks

	// Machine describes this process to others. Its ID is that of the holder of its
	// runs; if empty, a random one. If Name is empty, it is that of the machine.
	Machine stocktake.Machine

	Stores []Store // of the settings: their limits hold for all processes together

	// StoreOf returns the name of the store of a bucket; nil: no bucket is in a store
	// with limits.
	StoreOf func(bucket string) string

	Schedules bool // it may be the one that records the runs that are due

	// Scan scans a slice like [engine.ScanSlice], which is the default. Tests and
	// benchmarks of very large runs replace it to make up results.
	Scan func(ctx context.Context, src engine.Source, dst engine.Destination, job engine.Job, s engine.Slice, opts engine.Options) ([]engine.SliceResult, error)

	Slice time.Duration // a slice ends after so long; 0: a minute
	Least time.Duration // and not before so long, nor if less is left of it, unless the process ends; 0: 1 s
	Offer time.Duration // how often a process whose slices may be shared looks for idle slots; 0: 250 ms
	Lease time.Duration // a worker without a sign of life for this long is presumed dead; 0: 20 s
	Beat  time.Duration // time between its signs of life; 0: 2 s
	Stall time.Duration // a task that has not got on for so long is left to another process; 0: 45 s
	Sweep time.Duration // how often tasks without a worker are looked for; 0: 2 s
	Watch time.Duration // how often the holder of a run looks how far it is, if it hears of nothing; 0: 2 s

	// Gather is how long a listing that several runs may share waits for other due
	// runs; 0: 1.5 s, in which each process has looked for free runs.
	Gather time.Duration

	Log *slog.Logger // nil: slog.Default()
}

// A Runner is the [inventory.Runner] of one process among several.
type Runner struct {
	one     *local.Runner // what is not shared
	db      *postgres.Database
	catalog Catalog
	opts    Options
	id      string // of this life of the process
	log     *slog.Logger
	river   *river.Client[pgx.Tx]
	outage  *outage
	drain   chan struct{} // closed when the process is to end: slices end with their next page

	shares   *divider
	heldRuns heldRuns
	previous previous

	mu    sync.Mutex
	begun int64                 // assignments so far
	busy  map[int64]*assignment // by task
	duty  time.Time             // until when this process records the runs that are due

	avoided map[string]time.Time // runs whose tasks are left to other processes until then
}

var (
	_ inventory.Sharer = (*Runner)(nil)
	_ inventory.Prober = (*Runner)(nil)
	_ inventory.Team   = (*Runner)(nil)
)

// New returns a Runner. It carries out no task until Serve is called.
func New(db *postgres.Database, catalog Catalog, on *local.Runner, opts Options) (*Runner, error) {
	opts.Slice = cmp.Or(opts.Slice, time.Minute)
	opts.Least = cmp.Or(opts.Least, time.Second)
	opts.Offer = cmp.Or(opts.Offer, 250*time.Millisecond)
	opts.Lease = cmp.Or(opts.Lease, 20*time.Second)
	opts.Beat = cmp.Or(opts.Beat, 2*time.Second)
	opts.Stall = cmp.Or(opts.Stall, 45*time.Second)
	opts.Sweep = cmp.Or(opts.Sweep, 2*time.Second)
	opts.Watch = cmp.Or(opts.Watch, 2*time.Second)
	opts.Gather = cmp.Or(opts.Gather, 1500*time.Millisecond)
	opts.Log = cmp.Or(opts.Log, slog.Default())
	if opts.Scan == nil {
		opts.Scan = engine.ScanSlice
	}
	opts.Machine.ID = cmp.Or(opts.Machine.ID, uuid.NewString())
	if opts.Machine.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("name this process: %w", err)
		}
		opts.Machine.Name = host
	}
	r := &Runner{
		one: on, db: db, catalog: catalog, opts: opts, id: opts.Machine.ID, log: opts.Log,
		outage: &outage{log: opts.Log}, drain: make(chan struct{}), busy: map[int64]*assignment{}, avoided: map[string]time.Time{},
	}
	var err error
	if r.river, err = r.newClient(nil); err != nil {
		return nil, err
	}
	r.shares = newDivider(databaseShares{db}, r.id, opts.Stores, opts.Lease, opts.Beat, r.outage)
	return r, nil
}

// endTimeout is how long tasks may take to end when the process ends: slices finish a
// page and the rest of a shard, other tasks finish completely.
const endTimeout = 15 * time.Second

// Serve carries out tasks, and sweeps those of dead workers, until ctx ends. Then
// slices end with their next page and are handed over. It must be called at most
// once.
func (r *Runner) Serve(ctx context.Context) error {
	kept := context.WithoutCancel(ctx)
	r.beatOrWarn(kept) // so that others know of it
	defer r.end(kept)
	dividing, stop := context.WithCancel(kept)
	var divided sync.WaitGroup
	divided.Go(func() { r.shares.serve(dividing) })
	divided.Go(func() { r.heldRuns.follow(dividing, r) })
	defer func() { stop(); divided.Wait() }()
	beats, sweeps, offers := time.NewTicker(r.opts.Beat), time.NewTicker(r.opts.Sweep), time.NewTicker(r.opts.Offer)
	defer beats.Stop()
	defer offers.Stop()
	defer sweeps.Stop()
	ending := ctx.Done()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.serveQueue(kept)
	}()
	for {
		select {
		case <-ending:
			ending = nil
			close(r.drain)
		case <-stopped:
			return nil
		case <-beats.C:
			r.beatOrWarn(kept)
		case <-offers.C:
			if err := r.offer(kept); err != nil && ctx.Err() == nil {
				r.outage.failed("read which processes are idle", err)
			}
		case <-sweeps.C:
			if err := r.sweep(kept); err != nil && ctx.Err() == nil {
				r.outage.failed("look for tasks without a worker", err)
			}
		}
	}
}

func (r *Runner) beatOrWarn(ctx context.Context) { r.outage.beat(r.beat(ctx)) }

// end records that the process has ended.
func (r *Runner) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	err := r.db.Transact(ctx, func(ctx context.Context, t postgres.Tx) error {
		if err := r.leaveDuty(ctx, t); err != nil {
			return err
		}
		if err := leaveShares(ctx, t, r.id); err != nil {
			return err
		}
		_, err := t.Exec(ctx, `DELETE FROM processes WHERE id = $1`, r.id)
		return err
	})
	if err != nil {
		r.log.Warn("cannot tell the database that this process has ended", "err", err)
	}
}

// Probe implements [inventory.Prober], as on one machine.
func (r *Runner) Probe(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error {
	return r.one.Probe(ctx, bucket, cfg)
}

// Clean implements [inventory.Runner], as on one machine.
func (r *Runner) Clean(ctx context.Context, t inventory.Task) error { return r.one.Clean(ctx, t) }

// options returns the options of the engine for a task.
func (r *Runner) options(j *job) engine.Options { return r.optionsOf(j.run, &j.progress) }

func (r *Runner) optionsOf(run string, progress *engine.Progress) engine.Options {
	o := r.one.Options
	o.Progress, o.Log = progress, r.log
	o.Previous = func(read func() (*stocktake.Summary, error)) (*stocktake.Summary, error) {
		return r.previous.of(run, read)
	}
	return o
}

// useOf returns the use that this process makes of the store of a bucket; nil if the
// store has no limits.
func (r *Runner) useOf(bucket string) *use {
	if r.opts.StoreOf == nil {
		return nil
	}
	return r.shares.use(r.opts.StoreOf(bucket))
}

// concurrencyOf returns how many requests to the store of a bucket all processes may have in flight; 0: any number.
func (r *Runner) concurrencyOf(bucket string) int {
	if u := r.useOf(bucket); u != nil {
		return int(u.total.concurrency)
	}
	return 0
}
