package service

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/load"
	"github.com/stocktake/stocktake/bench/internal/measure"
)

// putDisabled fills one bucket with configurations that make no runs, to measure the
// cost of a put alone.
func (b *serviceBench) putDisabled(ctx context.Context) error {
	o, err := b.press(ctx, 1, crowdOf, func(ctx context.Context, i int) error {
		_, id := crowd(i)
		return b.inventories.Put(ctx, fullBucket, lakeserver.Configuration(id, false, stocktake.Daily))
	})
	if err != nil {
		return err
	}
	b.Add(fmt.Sprintf("Put/disabled/clients=1/configurations=%d", crowdOf), o.Took, experiment.PerSecond(o.Requests, o.Took, "puts"), experiment.P50(o), experiment.P99(o))
	return nil
}

// putAll puts the enabled ones, whose first runs go at once, and waits for the
// runs.
func (b *serviceBench) putAll(ctx context.Context) error {
	before, err := b.usage(true)
	if err != nil {
		return err
	}
	o, err := b.press(ctx, crowdPuts, b.configurations, func(ctx context.Context, i int) error {
		bucket, id := crowd(i)
		return b.inventories.Put(ctx, bucket, lakeserver.Configuration(id, true, stocktake.Daily))
	})
	if err != nil {
		return err
	}
	resident, err := b.resident()
	if err != nil {
		return err
	}
	b.Add(fmt.Sprintf("Put/enabled/clients=%d/configurations=%d", crowdPuts, b.configurations), o.Took,
		experiment.PerSecond(o.Requests, o.Took, "puts"), experiment.P50(o), experiment.P99(o), resident)

	rest := time.Now()
	if err := b.advance(ctx, 0); err != nil { // returns when no run waits or goes
		return err
	}
	took := o.Took + time.Since(rest)
	_, err = b.runs("FirstRuns", took, before)
	return err
}

// listAll reads every page of every bucket.
func (b *serviceBench) listAll(ctx context.Context) error {
	one := func(ctx context.Context, bucket string, want int) (time.Duration, error) {
		start, n := time.Now(), 0
		for _, err := range b.inventories.List(ctx, bucket) {
			if err != nil {
				return 0, err
			}
			n++
		}
		if n != want {
			return 0, fmt.Errorf("bucket %s lists %d configurations, want %d", bucket, n, want)
		}
		return time.Since(start), nil
	}
	took, err := one(ctx, fullBucket, crowdOf)
	if err != nil {
		return err
	}
	b.Add(fmt.Sprintf("List/all-pages/configurations=%d", crowdOf), took, experiment.PerSecond(pagesOf(crowdOf), took, "pages"))
	start, pages := time.Now(), 0
	for i := range b.buckets() {
		bucket, _ := crowd(i * crowdOf)
		n := min(crowdOf, b.configurations-i*crowdOf)
		if _, err := one(ctx, bucket, n); err != nil {
			return err
		}
		pages += pagesOf(n)
	}
	b.Add(fmt.Sprintf("List/all-pages/configurations=%d", b.configurations), time.Since(start), experiment.PerSecond(pages, time.Since(start), "pages"))
	return nil
}

// pagesOf returns how many pages n configurations are listed on.
func pagesOf(n int) int { return (n + stocktake.InventoryPageSize - 1) / stocktake.InventoryPageSize }

// afterNights is the time that the parts after the nights need.
const afterNights = time.Minute

// allNights makes all configurations fall due at once, night after night, and counts
// the results.
func (b *serviceBench) allNights(ctx context.Context) error {
	var peaks []float64
	var last time.Duration
	for n := range b.nights {
		if end, ok := ctx.Deadline(); ok && n > 0 && time.Until(end) < last+afterNights {
			fmt.Fprintf(os.Stderr, "%d of %d nights: there is no time for more\n", n, b.nights)
			break
		}
		before, err := b.usage(true)
		if err != nil {
			return err
		}
		start := time.Now()
		if err := b.advance(ctx, 24*time.Hour); err != nil { // returns when all of its runs have ended
			return err
		}
		last = time.Since(start)
		peak, err := b.runs(fmt.Sprintf("Night=%d", n+1), last, before)
		if err != nil {
			return err
		}
		peaks = append(peaks, peak)
	}
	if n := len(peaks); n > 1 {
		b.goals.under("peak memory, last night over first", peaks[n-1]/peaks[0], 1.1, "", fmt.Sprintf("%.0f and %.0f MiB", peaks[n-1], peaks[0]))
	}
	return b.count(ctx, 1+len(peaks))
}

// runs adds a line about one run of every configuration and returns the peak of
// memory, in MiB.
func (b *serviceBench) runs(name string, took time.Duration, before measure.Usage) (peak float64, err error) {
	after, err := b.usage(false)
	if err != nil {
		return 0, err
	}
	resident, err := b.resident()
	if err != nil {
		return 0, err
	}
	cpu := after.CPU - before.CPU
	b.Add(fmt.Sprintf("%s/configurations=%d", name, b.configurations), took, experiment.PerSecond(b.configurations, took, "runs"),
		measure.Figure{Value: float64(cpu.Microseconds()) / float64(b.configurations), Unit: "cpu-us/run"},
		experiment.Mebibytes(after.PeakRSS), resident)
	b.goals.state(name, took.Seconds(), "s", fmt.Sprintf("%d runs of %d objects each", b.configurations, crowdRows))
	return experiment.Mebibytes(after.PeakRSS).Value, nil
}

// count checks that each configuration has had the expected number of runs, the first
// and one a night, and that each of them left one report.
func (b *serviceBench) count(ctx context.Context, each int) error {
	start := time.Now()
	found := make(chan []stocktake.Run, crowdPuts)
	var g errgroup.Group
	t := newTally(each)
	g.Go(func() error {
		for runs := range found {
			t.add(runs)
		}
		return nil
	})
	_, err := b.press(ctx, crowdPuts, b.configurations, func(ctx context.Context, i int) error {
		bucket, id := crowd(i)
		runs, err := b.inventories.Runs(ctx, bucket, id)
		if err == nil {
			found <- runs
		}
		return err
	})
	close(found)
	_ = g.Wait() // never fails
	if err != nil {
		return err
	}
	manifests, err := b.manifests(ctx)
	if err != nil {
		return err
	}
	lost, doubled := t.faults(b.configurations, manifests)
	b.Add("Count/runs", time.Since(start), measure.Figure{Value: float64(t.runs), Unit: "runs"},
		measure.Figure{Value: float64(lost), Unit: "lost"}, measure.Figure{Value: float64(doubled), Unit: "doubled"})
	b.goals.under("runs lost or doubled", float64(lost+doubled), 1, "", fmt.Sprintf("of %d, by the API and by the manifests in the bucket", t.runs))
	if len(t.wrong) > 0 {
		return fmt.Errorf("%d configurations with runs that are not as they should be, such as %+v", len(t.wrong), t.wrong[0])
	}
	return nil
}

// advance moves the clock of the server ahead.
func (b *serviceBench) advance(ctx context.Context, d time.Duration) error {
	_, err := b.cli.Run(ctx, "clock", "advance", d.String())
	return err
}

// press sends a number of requests, as many at once as there are clients.
func (b *serviceBench) press(ctx context.Context, clients, requests int, do func(ctx context.Context, i int) error) (load.Outcome, error) {
	return load.Load{Clients: clients, For: time.Hour, Most: requests}.Run(ctx, do) // ctx ends long before
}
