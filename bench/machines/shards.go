package machines

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/measure"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/engine/ranges"
	"github.com/stocktake/stocktake/internal/largerun"
	"github.com/stocktake/stocktake/report"
)

// Shards measures the cost of a run of very many objects except its listing:
// everything is real except the slices, whose results are made up.
func Shards(ctx context.Context, args []string) error {
	b := shardsBench{Experiment: experiment.New("shards", "folder for reports and databases, which are removed in the end")}
	shards := experiment.Set(b.Flags, "shards", "10000", "shards of the report, at least", experiment.Within(2, 100_000))
	rows := experiment.Set(b.Flags, "rows", "1000000", "objects of a shard", experiment.Within(1_000, 1_000_000))
	prefixes := experiment.Set(b.Flags, "prefixes", "2000", "objects of a slice that its roll-up has seen", experiment.AtLeast(1))
	b.Flags.IntVar(&b.slots, "slices", 8, "slices at once")
	b.Flags.BoolVar(&b.statements, "statements", false, "print the statements that took most of the database's time")
	limit := experiment.Set(b.Flags, "limit", "1200s", "give up after so long", experiment.Positive)
	return b.Main(ctx, args, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeoutCause(ctx, *limit, fmt.Errorf("not done after %v; see -limit", *limit))
		defer cancel()
		// As stocktake serve does.
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(160 << 20)
		b.bucket = &largerun.Bucket{Rows: int64(*shards) * int64(*rows), ShardRows: int64(*rows), Start: time.Now().UTC().Truncate(time.Second), Prefixes: int64(*prefixes)}
		if err := b.onPostgres(ctx); err != nil {
			return fmt.Errorf("PostgreSQL: %w", err)
		}
		if err := b.onSQLite(ctx); err != nil {
			return fmt.Errorf("SQLite: %w", err)
		}
		return nil
	})
}

type shardsBench struct {
	*experiment.Experiment
	bucket     *largerun.Bucket
	slots      int
	statements bool
}

func (b *shardsBench) line(database, what string) string {
	return fmt.Sprintf("Shards/database=%s/objects=%d/shards=%d/%s", database, b.bucket.Rows, b.bucket.Rows/b.bucket.ShardRows, what)
}

// onPostgres makes a run of a bucket that is not known and one with its report, as several
// machines would.
func (b *shardsBench) onPostgres(ctx context.Context) (err error) {
	w, err := newShardsWorld(ctx, filepath.Join(b.Work, "postgresql"), b.bucket, b.slots)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.end()) }()
	for _, round := range rounds {
		if err := w.forget(ctx); err != nil {
			return err
		}
		run, err := w.run(ctx, round == rounds[0])
		if err != nil {
			return fmt.Errorf("%s: %w", round, err)
		}
		if err := b.phases(ctx, w, &run, round); err != nil {
			return err
		}
		if err := b.queries(ctx, w, round); err != nil {
			return err
		}
		if round == rounds[0] {
			if err := b.slice(ctx, w.dst, &run, w.configuration()); err != nil {
				return err
			}
		}
	}
	if b.statements {
		text, err := statementsText(ctx, w.db, 16)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s\n", text)
	}
	return nil
}

// phases adds a line for each part of a run.
func (b *shardsBench) phases(ctx context.Context, w *shardsWorld, run *stocktake.Run, round string) error {
	select {
	case <-time.After(time.Second): // River notes the ends of jobs a little later
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	name := func(part string) string { return b.line("postgresql", "run="+round+"/"+part) }
	memory := func(from, to time.Time) measure.Figure { return experiment.Mebibytes(w.memory.most(from, to)) }
	last := run.Queued
	for _, kind := range []string{"plan", "slice", "sum", "publish"} {
		p, err := w.phase(ctx, run, kind)
		if err != nil {
			return err
		}
		if kind == "publish" { // the report is recorded in the run's row between both
			b.Add(name("record"), p.begun.Sub(last), memory(last, p.begun))
		}
		figures := []measure.Figure{memory(p.begun, p.done)}
		if kind == "slice" {
			figures = append(figures, measure.Figure{Value: float64(p.jobs), Unit: "slices"},
				measure.Figure{Value: w.commits.first(), Unit: "ms-of-an-early-slice"}, measure.Figure{Value: w.commits.last(), Unit: "ms-of-a-late-slice"},
				measure.Figure{Value: float64(w.worked.Microseconds()) / 1000, Unit: "ms-to-say-who-works"})
		}
		b.Add(name(kind), p.done.Sub(p.begun), figures...)
		last = p.done
	}
	b.Add(name("end"), run.Ended.Sub(last), memory(last, run.Ended))
	return nil
}

// queries adds a line for each statement whose cost may grow with the slices of a run.
func (b *shardsBench) queries(ctx context.Context, w *shardsWorld, round string) error {
	for _, q := range []struct{ name, like string }{
		{"look", "%json ->> %"},
		{"open-slices", "SELECT count(*) FROM tasks WHERE run%"},
		{"idle-places", "%FROM processes p WHERE p.seen%count(*)%"},
		{"places", "SELECT coalesce(sum(p.slots)%"},
		{"add", "INSERT INTO tasks%"},
		{"finish", "UPDATE tasks SET done%"},
		{"beat", "UPDATE tasks t SET lease%"},
		{"sweep-waiting", "%t.worker = % AND t.due%"},
		{"sweep-expired", "%t.worker <> %t.lease%"},
		{"sweep-jobs", "UPDATE river_job j SET state%"},
		{"forget-work", "DELETE FROM works w USING%"},
		{"read-results", "SELECT id, result FROM tasks%"},
		{"record", "UPDATE runs SET%report%"},
		{"fetch-jobs", "%river_job%SKIP LOCKED%"},
	} {
		var calls int64
		var mean, most, total float64
		if err := w.db.QueryRow(ctx, `SELECT coalesce(sum(calls), 0)::bigint, coalesce(sum(total_exec_time) / nullif(sum(calls), 0), 0)::float8,
			coalesce(max(max_exec_time), 0)::float8, coalesce(sum(total_exec_time), 0)::float8 FROM pg_stat_statements WHERE query LIKE $1 AND query NOT LIKE '%pg_stat_statements%'`, q.like).
			Scan(&calls, &mean, &most, &total); err != nil {
			return err
		}
		if calls > 0 {
			b.Add(b.line("postgresql", "run="+round+"/statement="+q.name), time.Duration(mean*float64(time.Millisecond)), measure.Figure{Value: float64(calls), Unit: "calls"},
				measure.Figure{Value: most, Unit: "ms-most"}, measure.Figure{Value: total / 1000, Unit: "s-together"})
		}
	}
	return nil
}

// slice measures what each slice of the next run needs of the last report: to read it,
// once in a process, and to know where its own keys can be cut.
func (b *shardsBench) slice(ctx context.Context, dst engine.Destination, run *stocktake.Run, cfg stocktake.InventoryConfiguration) error {
	return b.step(b.line("any", "last-report"), func() ([]measure.Figure, error) {
		begun := time.Now()
		s, err := report.ReadSummary(ctx, dst, filepath.Dir(run.Manifest)+"/"+report.SummaryName)
		if err != nil {
			return nil, err
		}
		read := time.Since(begun)
		begun = time.Now()
		const at = 10 // of 32 slices
		t := ranges.New([]ranges.Range{{From: b.bucket.Key(b.bucket.Rows / 32 * at), To: b.bucket.Key(b.bucket.Rows / 32 * (at + 1))}}, s)
		made := time.Since(begun)
		if n := len(t.Take(4, 1e18)); n != 4 {
			return nil, fmt.Errorf("%d ranges of a slice are listed at once, not 4", n)
		}
		return []measure.Figure{{Value: read.Seconds(), Unit: "s-to-read"}, {Value: 1000 * made.Seconds(), Unit: "ms-for-a-slice"}, {Value: 1000 * time.Since(begun).Seconds(), Unit: "ms-to-first-requests"}}, nil
	})
}

// step adds a line about a step of this process: its time and peak memory.
func (b *shardsBench) step(name string, do func() ([]measure.Figure, error)) error {
	debug.FreeOSMemory()
	if err := measure.ResetPeak(os.Getpid()); err != nil {
		return err
	}
	begun := time.Now()
	figures, err := do()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	took := time.Since(begun)
	u, err := measure.Of(os.Getpid())
	if err != nil {
		return err
	}
	b.Add(name, took, append([]measure.Figure{experiment.Mebibytes(u.PeakRSS)}, figures...)...)
	return nil
}

// onSQLite makes both runs as one machine does.
func (b *shardsBench) onSQLite(ctx context.Context) (err error) {
	dir := filepath.Join(b.Work, "sqlite")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	cat, err := sqlite.Open(ctx, filepath.Join(dir, "catalog.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cat.Close()) }()
	runner := &shardsRunner{bench: b, segments: 4 * b.slots}
	if runner.dst, err = openShards(filepath.Join(dir, "reports")); err != nil {
		return err
	}
	stop, service, err := serveShards(ctx, cat, runner, nil)
	if err != nil {
		return err
	}
	defer stop()
	for _, round := range rounds {
		runner.round = round
		run, err := runShards(ctx, service, cat, round == rounds[0], runner.configuration())
		if err != nil {
			return fmt.Errorf("%s: %w", round, err)
		}
		if err := lakeserver.Succeeded(run, int(b.bucket.Rows)); err != nil {
			return err
		}
		size, err := cat.Size(ctx)
		if err != nil {
			return err
		}
		if err := b.step(b.line("sqlite", "run="+round+"/history"), func() ([]measure.Figure, error) {
			runs, err := service.Runs(ctx, largeBucket, largeID)
			if err == nil && runs[0].Shards < int(b.bucket.Rows/b.bucket.ShardRows) {
				err = fmt.Errorf("a run with %d shards", runs[0].Shards)
			}
			return []measure.Figure{{Value: float64(size) / (1 << 20), Unit: "MiB-catalog"}}, err
		}); err != nil {
			return err
		}
	}
	return nil
}
