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
	"github.com/stocktake/stocktake/bench/internal/measure"
)

// Scale measures how a run of one bucket becomes faster with more worker
// processes. The bucket is far away: a simulator answers each page after some time.
func Scale(ctx context.Context, args []string) error {
	b := scaleBench{Experiment: experiment.New("scale", "folder for reports and databases, which are removed in the end")}
	keys := experiment.Set(b.Flags, "keys", "2000000", "keys of the bucket", experiment.AtLeast(1))
	pageKeys := experiment.Set(b.Flags, "page-keys", "100", "keys of a page: with fewer, requests take less of the processors", experiment.Within(1, 1000))
	shapes := experiment.Set(b.Flags, "shapes", "flat", "shapes of the keys", farserver.Shapes)
	workers := experiment.Set(b.Flags, "workers", "1,2,4,8", "worker processes, one or more numbers", experiment.Numbers)
	b.Flags.DurationVar(&b.latency, "latency", 30*time.Millisecond, "time that a page takes")
	b.Flags.IntVar(&b.requests, "requests", 4, "requests of a worker at once")
	b.Flags.IntVar(&b.slices, "slices", 4, "slices that a worker scans at once")
	b.Flags.BoolVar(&b.statements, "statements", false, "print the statements that took most of the database's time, and when places were idle")
	return b.Main(ctx, args, func(ctx context.Context) (err error) {
		b.keys, b.pageKeys = *keys, *pageKeys
		if b.Binary, err = b.Build(ctx); err != nil {
			return err
		}
		for _, shape := range *shapes {
			if err := b.shape(ctx, shape, *workers); err != nil {
				return fmt.Errorf("%s: %w", shape, err)
			}
		}
		return nil
	})
}

type scaleBench struct {
	*experiment.Experiment
	keys, pageKeys   int
	latency          time.Duration
	requests, slices int
	statements       bool
}

// rounds are the runs of a configuration: the first without knowledge of the bucket,
// the second with the summary of the first.
var rounds = []string{"first", "again"}

// shape measures the runs of one bucket with each number of workers.
func (b *scaleBench) shape(ctx context.Context, shape string, workers []int) error {
	var base [2]time.Duration // of the first number
	for _, n := range workers {
		took, busy, err := b.with(ctx, shape, n)
		if err != nil {
			return fmt.Errorf("%d workers: %w", n, err)
		}
		for i, round := range rounds {
			if base[i] == 0 {
				base[i] = took[i]
			}
			b.AddRatio(fmt.Sprintf("speed-up/shape=%s/objects=%d/workers=%d/run=%s", shape, b.keys, n, round), base[i].Seconds()/took[i].Seconds(),
				fmt.Sprintf("times as fast as with %d, in %.2f s; %d requests at once take %.2f s for as many pages; all processes together used %.0f %% of the processors",
					workers[0], took[i].Seconds(), n*b.requests, b.ideal(shape, n).Seconds(), busy[i]))
		}
	}
	return nil
}

// with makes two runs with the given number of workers. The first worker also serves
// the API.
func (b *scaleBench) with(ctx context.Context, shape string, workers int) (took [2]time.Duration, busy [2]float64, err error) {
	dir := filepath.Join(b.Work, fmt.Sprintf("%s-%d", shape, workers))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return took, busy, err
	}
	m, err := startMachines(ctx, b.Binary, dir, b.bucket(shape))
	if err != nil {
		return took, busy, err
	}
	defer func() { err = errors.Join(err, m.end(), os.RemoveAll(dir)) }()
	for i := range workers { // the limit of a store holds for all together
		if _, err := m.start(ctx, fmt.Sprint("worker-", i+1), b.requests*workers, "--slices", fmt.Sprint(b.slices)); err != nil {
			return took, busy, err
		}
	}
	for i, round := range rounds {
		before, err := m.load(ctx)
		if err != nil {
			return took, busy, err
		}
		at := m.watchPages(ctx)
		run, err := b.run(ctx, m, round)
		pages := at()
		if err != nil {
			return took, busy, err
		}
		after, err := m.load(ctx)
		if err != nil {
			return took, busy, err
		}
		took[i] = run.Ended.Sub(run.Queued)
		phases, err := m.phases(ctx, &run)
		if err != nil {
			return took, busy, err
		}
		tenths, err := m.tenths(ctx, &run, pages, b.latency, b.requests*workers)
		if err != nil {
			return took, busy, err
		}
		if b.statements {
			fmt.Fprintf(os.Stderr, "%s\n", tenths)
		}
		did := after.since(before)
		busy[i] = b.line(fmt.Sprintf("Scale/shape=%s/objects=%d/page=%d/workers=%d/run=%s", shape, b.keys, b.pageKeys, workers, round), took[i], b.ideal(shape, workers), &did, phases)
	}
	if b.statements {
		text, err := statementsText(ctx, m.db, 12)
		if err != nil {
			return took, busy, err
		}
		fmt.Fprintf(os.Stderr, "%s\n", text)
	}
	return took, busy, nil
}

// run makes a run of the bucket and returns it when it has ended.
func (b *scaleBench) run(ctx context.Context, m *machines, round string) (run stocktake.Run, err error) {
	const bucket, id = "far", "all"
	if round == rounds[0] {
		if err := m.inventories.Put(ctx, bucket, lakeserver.Configuration(id, true, stocktake.Daily)); err != nil {
			return run, err
		}
		var runs []stocktake.Run
		if runs, err = m.inventories.Runs(ctx, bucket, id); err == nil && len(runs) != 1 {
			err = fmt.Errorf("%d runs after the configuration was put", len(runs))
		}
		if err != nil {
			return run, err
		}
		run = runs[0]
	} else if run, err = m.inventories.Run(ctx, bucket, id); err != nil {
		return run, err
	}
	if run, err = m.inventories.Wait(ctx, run, nil); err != nil {
		return run, err
	}
	return run, lakeserver.Succeeded(run, b.keys)
}

func (b *scaleBench) bucket(shape string) farserver.Bucket {
	return farserver.Bucket{Shape: shape, Keys: b.keys, PageKeys: b.pageKeys, Latency: b.latency}
}

// ideal returns the time that the pages of the bucket take if no request waits for anything.
func (b *scaleBench) ideal(shape string, workers int) time.Duration {
	bucket := b.bucket(shape)
	return time.Duration(bucket.Pages()) * b.latency / time.Duration(b.requests*workers)
}

// line adds a line about a run and returns the share of the processors that was
// used, in percent.
func (b *scaleBench) line(name string, took, ideal time.Duration, did *clusterLoad, phases []measure.Figure) float64 {
	bucket := b.bucket("")
	pages := bucket.Pages()
	millions := float64(b.keys) / 1e6
	busy := did.busy(took, b.Results.Host.CPUs)
	b.Add(name, took, append(phases, experiment.PerSecond(b.keys, took, "objects"),
		measure.Figure{Value: ideal.Seconds(), Unit: "s-ideal"},
		measure.Figure{Value: 100 * ideal.Seconds() / took.Seconds(), Unit: "%-of-ideal"},
		measure.Figure{Value: float64(did.pages), Unit: "calls"},
		measure.Figure{Value: 100 * (float64(did.pages)/float64(pages) - 1), Unit: "%-more-calls"},
		busy,
		measure.Figure{Value: did.servers.Seconds() / millions, Unit: "cpu-s/1e6"},
		measure.Figure{Value: did.far.Seconds() / millions, Unit: "simulator-cpu-s/1e6"},
		measure.Figure{Value: did.pg.Seconds() / millions, Unit: "database-cpu-s/1e6"},
		measure.Figure{Value: float64(did.statements) / millions, Unit: "statements/1e6"},
		measure.Figure{Value: float64(did.transactions) / millions, Unit: "transactions/1e6"},
		measure.Figure{Value: float64(did.wal) / 1024 / millions, Unit: "KiB-WAL/1e6"},
		measure.Figure{Value: float64(did.size) / 1024 / millions, Unit: "KiB-database/1e6"},
		measure.Figure{Value: float64(did.connections), Unit: "connections"})...)
	return busy.Value
}
