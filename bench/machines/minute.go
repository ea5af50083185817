package machines

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/farserver"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/load"
	"github.com/stocktake/stocktake/bench/internal/measure"
)

// Minute measures many configurations of small buckets that are due at the
// same minute, made by several processes that share PostgreSQL, one of which may be
// killed during the runs.
func Minute(ctx context.Context, args []string) error {
	b := minuteBench{Experiment: experiment.New("minute", "folder for reports and databases, which are removed in the end")}
	configurations := experiment.Set(b.Flags, "configurations", "1000", "enabled configurations", experiment.AtLeast(1))
	buckets := experiment.Set(b.Flags, "buckets", "100", "buckets that they are spread over", experiment.AtLeast(1))
	processes := experiment.Set(b.Flags, "processes", "4", "processes", experiment.AtLeast(2))
	objects := experiment.Set(b.Flags, "objects", "100", "objects of a bucket", experiment.AtLeast(1))
	limit := experiment.Set(b.Flags, "limit", "280s", "give up after so long", experiment.Positive)
	b.Flags.DurationVar(&b.latency, "latency", 30*time.Millisecond, "time that a page takes")
	b.Flags.BoolVar(&b.kill, "kill", false, "kill the scheduler when a quarter of the runs has ended")
	b.Flags.IntVar(&b.maxRuns, "max-runs", 8, "--max-runs of stocktake serve: runs of a process at once")
	b.Flags.BoolVar(&b.statements, "statements", false, "print the statements that took most of the database's time")
	return b.Main(ctx, args, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeoutCause(ctx, *limit, fmt.Errorf("not done after %v; see -limit", *limit))
		defer cancel()
		b.configurations, b.buckets, b.processes, b.objects = *configurations, *buckets, *processes, *objects
		binary, err := b.Build(ctx)
		if err != nil {
			return err
		}
		dir := filepath.Join(b.Work, "minute")
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if b.machines, err = startMachines(ctx, binary, dir, farserver.Bucket{Shape: "flat", Keys: b.objects, Latency: b.latency}); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.machines.end()) }()
		err = b.measure(ctx)
		if ctx.Err() != nil {
			err = errors.Join(err, context.Cause(ctx))
		}
		return err
	})
}

// minuteClients put the configurations, each one after another.
const minuteClients = 8

type minuteBench struct {
	*experiment.Experiment
	*machines
	configurations, buckets, processes, objects, maxRuns int
	latency                                              time.Duration
	kill, statements                                     bool
	killed                                               string // the id of the process that was
}

// startAll starts the processes, which make scheduled runs at an hour of a time zone.
func (b *minuteBench) startAll(ctx context.Context, hour int, zone string) error {
	for i := range b.processes {
		if _, err := b.start(ctx, fmt.Sprint("process-", i+1), 16, "--schedule-hour", fmt.Sprint(hour), "--schedule-zone", zone, "--max-runs", fmt.Sprint(b.maxRuns)); err != nil {
			return err
		}
	}
	return nil
}

// measure puts the configurations, whose first runs are made at once, then has all
// fall due at one minute.
func (b *minuteBench) measure(ctx context.Context) error {
	if err := b.startAll(ctx, time.Now().UTC().Add(12*time.Hour).Hour(), "UTC+0"); err != nil {
		return err
	}
	begun := time.Now()
	put, err := load.Load{Clients: minuteClients, For: time.Hour, Most: b.configurations}.Run(ctx, func(ctx context.Context, i int) error {
		return b.inventories.Put(ctx, fmt.Sprintf("far-%03d", i%b.buckets), lakeserver.Configuration(fmt.Sprintf("inventory-%04d", i/b.buckets), true, stocktake.Daily))
	})
	if err != nil {
		return err
	}
	b.Add(fmt.Sprintf("Put/clients=%d/configurations=%d", minuteClients, b.configurations), put.Took, experiment.PerSecond(put.Requests, put.Took, "puts"), experiment.P50(put), experiment.P99(put))
	if err := b.until(ctx, "true", b.configurations, nil); err != nil {
		return err
	}
	b.Add(fmt.Sprintf("FirstRuns/processes=%d/configurations=%d", b.processes, b.configurations), time.Since(begun), experiment.PerSecond(b.configurations, time.Since(begun), "runs"))
	if err := b.stopServers(); err != nil {
		return err
	}
	// The minute at which all are due is the hour of a zone that is some minutes off.
	due := time.Now().UTC().Add(15 * time.Second).Truncate(time.Minute).Add(time.Minute)
	off := (60 - due.Minute()) % 60
	if err := b.startAll(ctx, due.Add(time.Duration(off)*time.Minute).Hour(), fmt.Sprintf("UTC+0:%02d", off)); err != nil {
		return err
	}
	select {
	case <-time.After(time.Until(due)):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	before, err := b.load(ctx)
	if err != nil {
		return err
	}
	return b.minute(ctx, due, before)
}

// until waits until the given number of runs that a condition selects have ended. at,
// unless nil, is called when a quarter of them has.
func (b *minuteBench) until(ctx context.Context, where string, runs int, at func() error) error {
	for {
		var ended int
		if err := b.db.QueryRow(ctx, "SELECT count(*) FROM runs WHERE ended <> 0 AND "+where).Scan(&ended); err != nil {
			return err
		}
		if at != nil && ended >= runs/4 {
			if err := at(); err != nil {
				return err
			}
			at = nil
		}
		if ended >= runs {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d of %d runs have ended: %w", ended, runs, context.Cause(ctx))
		}
	}
}

// minute waits for the runs that are due at one time and counts their results.
func (b *minuteBench) minute(ctx context.Context, due time.Time, before clusterLoad) error {
	where := fmt.Sprintf("due = %d", due.UnixMicro())
	var at func() error
	if b.kill {
		at = func() error { return b.killScheduler(ctx) }
	}
	if err := b.until(ctx, where, b.configurations, at); err != nil {
		return err
	}
	took := time.Since(due)
	after, err := b.load(ctx)
	if err != nil {
		return err
	}
	did := after.since(before)
	var configurations, runs, good, again int
	var median float64
	if err := b.db.QueryRow(ctx, `SELECT count(DISTINCT (bucket, configuration)), count(*), count(*) FILTER (WHERE state = 'succeeded' AND matched = $1),
		count(*) FILTER (WHERE attempt > 1), coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY ended - due), 0)::float8 / 1e6 FROM runs WHERE `+where, b.objects).
		Scan(&configurations, &runs, &good, &again, &median); err != nil {
		return err
	}
	least, most, err := b.spread(ctx, due)
	if err != nil {
		return err
	}
	n := float64(b.configurations)
	b.Add(fmt.Sprintf("Minute/processes=%d/configurations=%d/buckets=%d/kill=%t", b.processes, b.configurations, b.buckets, b.kill), took,
		experiment.PerSecond(b.configurations, took, "runs"), measure.Figure{Value: median, Unit: "s-median"},
		measure.Figure{Value: n - float64(configurations), Unit: "lost"}, measure.Figure{Value: float64(runs - configurations), Unit: "doubled"},
		measure.Figure{Value: float64(again), Unit: "begun-again"},
		measure.Figure{Value: least, Unit: "least-tasks-of-a-process"}, measure.Figure{Value: most, Unit: "most-tasks-of-a-process"},
		did.busy(took, b.Results.Host.CPUs),
		measure.Figure{Value: 1000 * did.servers.Seconds() / n, Unit: "cpu-ms/run"},
		measure.Figure{Value: 100 * did.pg.Seconds() / (took.Seconds() * float64(b.Results.Host.CPUs)), Unit: "%-of-processors-database"},
		measure.Figure{Value: float64(did.statements) / n, Unit: "statements/run"},
		measure.Figure{Value: float64(did.transactions) / n, Unit: "transactions/run"},
		measure.Figure{Value: float64(did.statements) / took.Seconds(), Unit: "statements/s"},
		measure.Figure{Value: float64(did.transactions) / took.Seconds(), Unit: "transactions/s"},
		measure.Figure{Value: float64(did.wal) / 1024 / n, Unit: "KiB-WAL/run"},
		measure.Figure{Value: float64(did.connections), Unit: "connections"})
	if b.statements {
		text, err := statementsText(ctx, b.db, 12)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s\n", text)
	}
	if good != b.configurations || runs != b.configurations {
		return fmt.Errorf("%d runs; %d succeeded with %d objects; %d are due", runs, good, b.objects, b.configurations)
	}
	return nil
}

// spread returns how many tasks the process with the least work carried out, and the
// process with the most, without the one that was killed.
func (b *minuteBench) spread(ctx context.Context, since time.Time) (least, most float64, err error) {
	select {
	case <-time.After(time.Second): // River notes the ends of jobs a little later
	case <-ctx.Done():
		return 0, 0, context.Cause(ctx)
	}
	err = b.db.QueryRow(ctx, `SELECT coalesce(min(n), 0)::float8, coalesce(max(n), 0)::float8 FROM (SELECT count(*) AS n FROM river_job
		WHERE created_at >= $1 AND attempted_by[array_upper(attempted_by, 1)] <> $2 GROUP BY attempted_by[array_upper(attempted_by, 1)]) t`, since, b.killed).Scan(&least, &most)
	return least, most, err
}

// killScheduler kills the process that records which runs are due, as a crash would.
func (b *minuteBench) killScheduler(ctx context.Context) error {
	var name string
	if err := b.db.QueryRow(ctx, `SELECT p.id, p.host FROM processes p LEFT JOIN duties d ON d.owner = p.id AND d.name = 'scheduler'
		ORDER BY d.name IS NULL, (SELECT count(*) FROM runs r WHERE r.owner = p.id AND r.ended = 0) DESC LIMIT 1`).Scan(&b.killed, &name); err != nil {
		return err
	}
	for i := range b.servers {
		if fmt.Sprint("process-", i+1) == name {
			b.servers[i].Kill()
			fmt.Fprintf(os.Stderr, "killed %s\n", name)
			b.dead = append(b.dead, i)
			return nil
		}
	}
	return fmt.Errorf("the scheduler is %q, which is not one of the processes", name)
}
