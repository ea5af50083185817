package machines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/measure"
	catalog "github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/largerun"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/runner/cluster"
	"github.com/stocktake/stocktake/internal/runner/local"
	"github.com/stocktake/stocktake/internal/testpostgres"
)

const largeBucket, largeID = "large", "all"

// anyLargeBucket says that each bucket is there.
type anyLargeBucket struct{ inventory.Buckets }

func (anyLargeBucket) Bucket(_ context.Context, name string) (object.Bucket, error) {
	return object.Bucket{Name: name}, nil
}
func (anyLargeBucket) CheckBucket(context.Context, string) error       { return nil }
func (anyLargeBucket) StoreOf(string) string                           { return "" }
func (anyLargeBucket) Notes(string, []stocktake.Field, int64) []string { return nil }

// endlessFolder is a folder that has room for shards without content, whatever size
// their report says.
type endlessFolder struct{ *dirbucket.Bucket }

func (endlessFolder) FreeSpace(context.Context) (int64, error) { return -1, nil }

func openShards(dir string) (engine.Destination, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	d, err := dirbucket.Open(dir)
	return endlessFolder{d}, err
}

// serveShards starts an inventory service. work is what its process does besides.
func serveShards(ctx context.Context, cat inventory.Catalog, runner inventory.Runner, work func(context.Context) error, change ...func(*inventory.Options)) (stop func(), s *inventory.Service, err error) {
	opts := inventory.Options{AnyDestination: true, LateAfter: -1, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	for _, c := range change {
		c(&opts)
	}
	if s, err = inventory.New(ctx, cat, anyLargeBucket{}, runner, opts); err != nil {
		return nil, nil, err
	}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	for _, serve := range []func(context.Context) error{s.Serve, work} {
		if serve != nil {
			all.Go(func() {
				if err := serve(serving); err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
			})
		}
	}
	return func() { cancel(); all.Wait() }, s, nil
}

// runShards makes a run and returns it when it has ended.
func runShards(ctx context.Context, s *inventory.Service, cat inventory.Catalog, first bool, cfg stocktake.InventoryConfiguration) (run stocktake.Run, err error) {
	if first {
		if err := s.Put(ctx, largeBucket, cfg); err != nil {
			return run, err
		}
		runs, err := s.Runs(ctx, largeBucket, largeID)
		if err != nil {
			return run, err
		}
		run = runs[0]
	} else if run, err = s.Run(ctx, largeBucket, largeID); err != nil {
		return run, err
	}
	for !run.State.Ended() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return run, context.Cause(ctx)
		}
		if run, err = cat.Run(ctx, run.ID); err != nil {
			return run, err
		}
	}
	return run, nil
}

// A shardsWorld is a process that could share PostgreSQL with others but is the only
// one, so that its resource use can be measured.
type shardsWorld struct {
	bucket *largerun.Bucket
	dst    engine.Destination
	pg     *testpostgres.Server
	db     *pgxpool.Pool
	cat    *catalog.Catalog
	runner *cluster.Runner
	*inventory.Service
	stop    func()
	memory  residents
	commits pauses

	scanned atomic.Int64  // slices of the run
	worked  time.Duration // that it took to say who works on what, late in the run
}

func newShardsWorld(ctx context.Context, dir string, bucket *largerun.Bucket, slots int) (w *shardsWorld, err error) {
	w = &shardsWorld{bucket: bucket, stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.end())
		}
	}()
	if w.dst, err = openShards(filepath.Join(dir, "reports")); err != nil {
		return w, err
	}
	if w.pg, w.db, err = startPostgres(ctx); err != nil {
		return w, err
	}
	cfg, err := catalog.Parse(w.pg.Address("postgres"))
	if err != nil {
		return w, err
	}
	if w.cat, err = catalog.Open(ctx, cfg); err != nil {
		return w, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	machine := stocktake.Machine{ID: "bench", Name: "bench", Roles: []string{"worker", "scheduler"}}
	if w.runner, err = cluster.New(w.cat.Database(), w.cat, &local.Runner{Stores: w, Options: engine.Options{Log: log}}, cluster.Options{
		Slots: slots, Machine: machine, Schedules: true, Scan: w.scan, Log: log,
	}); err != nil {
		return w, err
	}
	w.memory.begin()
	w.stop, w.Service, err = serveShards(ctx, w.cat, w.runner, w.runner.Serve, func(o *inventory.Options) {
		o.Shared, o.Machine, o.Schedules = true, machine, w.runner.Schedules
	})
	return w, err
}

// Source implements local.Stores.
func (w *shardsWorld) Source(context.Context, string, *stocktake.InventoryConfiguration) (engine.Source, error) {
	return w.bucket, nil
}

// Destination implements local.Stores.
func (w *shardsWorld) Destination(context.Context, *stocktake.InventoryConfiguration) (engine.Destination, error) {
	return w.dst, nil
}

// Listing says that no two runs share a listing.
func (w *shardsWorld) ListingKey(string, *stocktake.InventoryConfiguration) string { return "" }

// scan makes the results of a slice up. Late in the run it also measures who works on what,
// which people and the console ask.
func (w *shardsWorld) scan(ctx context.Context, src engine.Source, dst engine.Destination, job engine.Job, slice engine.Slice, opts engine.Options) ([]engine.SliceResult, error) {
	w.commits.note()
	if w.scanned.Add(1) == w.bucket.Rows/w.bucket.ShardRows*9/10 {
		begun := time.Now()
		work, err := w.runner.Work(ctx, "", "")
		if err != nil {
			return nil, err
		}
		if len(work.Runs) != 1 {
			return nil, fmt.Errorf("%d runs are in progress", len(work.Runs))
		}
		w.worked = time.Since(begun)
	}
	return w.bucket.ScanSlice(ctx, src, dst, job, slice, opts)
}

func (*shardsWorld) configuration() stocktake.InventoryConfiguration {
	return lakeserver.Configuration(largeID, true, stocktake.Daily)
}

// forget begins counting again.
func (w *shardsWorld) forget(ctx context.Context) error {
	w.scanned.Store(0)
	w.commits.forget()
	_, err := w.db.Exec(ctx, "SELECT pg_stat_statements_reset()")
	return err
}

func (w *shardsWorld) run(ctx context.Context, first bool) (stocktake.Run, error) {
	run, err := runShards(ctx, w.Service, w.cat, first, w.configuration())
	if err != nil {
		return run, err
	}
	return run, lakeserver.Succeeded(run, int(w.bucket.Rows))
}

// A shardsPhase is when the tasks of a kind were begun and done.
type shardsPhase struct {
	jobs        int64
	begun, done time.Time
}

func (w *shardsWorld) phase(ctx context.Context, run *stocktake.Run, kind string) (p shardsPhase, err error) {
	err = w.db.QueryRow(ctx, `SELECT count(*), min(attempted_at), max(finalized_at) FROM river_job WHERE kind = $2 AND created_at >= $1`, run.Queued, "stocktake_"+kind).
		Scan(&p.jobs, &p.begun, &p.done)
	return p, err
}

func (w *shardsWorld) end() (err error) {
	w.stop()
	w.memory.end()
	if w.cat != nil {
		err = errors.Join(err, w.cat.Close())
	}
	if w.db != nil {
		w.db.Close()
	}
	if w.pg != nil {
		err = errors.Join(err, w.pg.Close())
	}
	return err
}

// residents is how much memory of this process was resident when.
type residents struct {
	mu    sync.Mutex
	at    []time.Time
	bytes []int64
	stop  chan struct{}
	ended sync.WaitGroup
}

func (r *residents) begin() {
	r.stop = make(chan struct{})
	r.ended.Go(func() {
		for {
			select {
			case <-r.stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			text, err := os.ReadFile("/proc/self/statm")
			if err != nil {
				continue // most then finds nothing, and the figure is 0
			}
			fields := bytes.Fields(text)
			pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			r.mu.Lock()
			r.at, r.bytes = append(r.at, time.Now()), append(r.bytes, pages*int64(os.Getpagesize()))
			r.mu.Unlock()
		}
	})
}

func (r *residents) end() {
	if r.stop != nil {
		close(r.stop)
		r.ended.Wait()
	}
}

// most returns the most that was resident between two times, or next after them.
func (r *residents) most(from, to time.Time) (most int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, at := range r.at {
		if at.Before(from) {
			continue
		}
		most = max(most, r.bytes[i])
		if at.After(to) {
			break
		}
	}
	return most
}

// pauses are the times between the beginnings of slices.
type pauses struct {
	mu sync.Mutex
	at []time.Time
}

func (p *pauses) note() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = append(p.at, time.Now())
}

func (p *pauses) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = nil
}

// first returns the mean pause of the first tenth in milliseconds, last that of the last.
func (p *pauses) first() float64 { return p.mean(0, len(p.at)/10) }
func (p *pauses) last() float64  { return p.mean(len(p.at)-len(p.at)/10-1, len(p.at)-1) }

func (p *pauses) mean(from, to int) float64 {
	if to <= from {
		return 0
	}
	return p.at[to].Sub(p.at[from]).Seconds() * 1000 / float64(to-from)
}

// A shardsRunner makes runs as one machine does, with results that are made up.
type shardsRunner struct {
	bench    *shardsBench
	dst      engine.Destination
	segments int
	round    string
}

func (*shardsRunner) configuration() stocktake.InventoryConfiguration {
	return lakeserver.Configuration(largeID, true, stocktake.Daily)
}

// Clean implements [inventory.Runner].
func (*shardsRunner) Clean(context.Context, inventory.Task) error { return nil }

// Run implements [inventory.Runner].
func (r *shardsRunner) Run(ctx context.Context, t inventory.Task) (outcome inventory.Outcome, err error) {
	b := r.bench
	name := func(part string) string { return b.line("sqlite", "run="+r.round+"/"+part) }
	job := engine.Job{Run: t.Run.ID, Attempt: t.Run.Attempt, Bucket: t.Run.Bucket, Configuration: t.Configuration, Expected: t.Run.Expected}
	var o engine.RunPlan
	if err := b.step(name("plan"), func() (_ []measure.Figure, err error) {
		o, err = engine.Plan(ctx, b.bucket, r.dst, job, engine.Options{Workers: r.segments / 4})
		return []measure.Figure{{Value: float64(len(o.Slices)), Unit: "slices"}}, err
	}); err != nil {
		return outcome, err
	}
	var results []engine.SliceResult
	for _, s := range o.Slices {
		whole := []engine.SliceResult{}
		for {
			part, err := b.bucket.ScanSlice(ctx, b.bucket, r.dst, job, s, engine.Options{})
			if err != nil {
				return outcome, err
			}
			whole = append(whole, part[0])
			rest, more := part[0].Rest()
			if !more {
				break
			}
			s = rest
		}
		results = append(results, largerun.Join(whole))
	}
	record := time.Duration(0)
	size := 0
	err = b.step(name("publish"), func() ([]measure.Figure, error) {
		result, err := engine.Publish(ctx, r.dst, job, o, results, engine.Options{Record: func(ctx context.Context, report []byte) ([]byte, error) {
			begun := time.Now()
			defer func() { record = time.Since(begun) }()
			size = len(report)
			return t.Record(ctx, report)
		}})
		if err == nil {
			outcome = local.OutcomeOf(&result)
		}
		return []measure.Figure{{Value: 1000 * record.Seconds(), Unit: "ms-to-record"}, {Value: float64(size) / (1 << 20), Unit: "MiB-recorded"}}, err
	})
	return outcome, err
}

var _ inventory.Runner = (*shardsRunner)(nil)
